"""The change feed without a person: their own changes emptied, and what others' changes held of them taken out.

Consumers that read the feed from the beginning still end with an equal copy: the customers that once held a record of
the person are told anew, whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from sync.master.bulk import Bulk
from sync.privacy.person import Person

_KEPT = ("from", "into")


class Rewritten(NamedTuple):
    """How many changes were rewritten, and which other customers have to be told anew."""

    changes: int
    others: list[int]


def rewrite(bulk: Bulk, person: Person) -> Rewritten:
    """Empty the changes; nothing is numbered anew and none goes away."""
    rows: list[tuple[str, int]] = []
    for seq, kind, text in bulk.fetch(
        "SELECT seq, type, body FROM change WHERE customer_id {ints}", sorted(person.ids)
    ):
        rows.append((_emptied(kind, orjson.loads(text), ()), seq))
    others = _others(bulk, person)
    for number in others:
        rows += _other(bulk, number, [record.address for record in person.records])
    bulk.run_many("UPDATE change SET body = ? WHERE seq = ?", rows)
    return Rewritten(len(rows), others)


def _others(bulk: Bulk, person: Person) -> list[int]:
    """Customers that ever held one of the records, by a walk through all changes: nothing else finds them."""
    place = "strpos" if bulk.is_postgres else "instr"
    found: set[int] = set()
    for record in person.records:
        rows = bulk.fetch(
            f"SELECT DISTINCT customer_id FROM change WHERE {place}(body, ?) > 0",  # noqa: S608 - fixed words
            orjson.dumps(record.address).decode(),
        )
        found |= {row[0] for row in rows}
    return sorted(found - set(person.ids))


def _other(bulk: Bulk, number: int, addresses: Sequence[list[str]]) -> list[tuple[str, int]]:
    """The changes of another customer from the first that may hold something of the person."""
    changes = bulk.fetch("SELECT seq, type, body FROM change WHERE customer_id = ? ORDER BY seq", number)
    bodies = [(seq, kind, orjson.loads(text)) for seq, kind, text in changes]
    first = next((i for i, (_, _, body) in enumerate(bodies) if _names(body, addresses)), len(bodies))
    if first < len(bodies) and not _names({"joined": bodies[first][2].get("joined", ())}, addresses):
        first = 0  # it came before the oldest change that is kept
    return [(_emptied(kind, body, addresses), seq) for seq, kind, body in bodies[first:]]


def _names(body: Mapping[str, Any], addresses: Sequence[list[str]]) -> bool:
    return any(one in addresses for name in ("joined", "left") for one in body.get(name, ()))


def _emptied(kind: str, body: Mapping[str, Any], addresses: Iterable[list[str]]) -> str:
    """The body without values. Of another customer the records stay, but for those of the person."""
    kept: dict[str, Any] = {name: body[name] for name in _KEPT if name in body}
    if kind in ("created", "split") or "golden" in body:
        kept["golden"] = {"kind": body.get("golden", {}).get("kind", "person")}
    gone = list(addresses)
    if gone:
        for name in ("joined", "left"):
            others = [one for one in body.get(name, ()) if one not in gone]
            if others:
                kept[name] = others
    return orjson.dumps(kept).decode()
