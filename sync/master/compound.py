"""Several writes as one statement, so that the server starts and answers once instead of once for each.

PostgreSQL does all writing parts of a ``WITH`` to their end, on one snapshot: none sees what another writes. So only
writes go together of which each has tables of its own that no other one names.
https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING

The order in which it does them is left open there; as it is (the statement itself, then its parts from the last to the
first) it is the order in which the writes were said, so that rows are locked as everybody locks them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_WRITES = re.compile(r"\b(?:INSERT INTO|(?<!DO )UPDATE|DELETE FROM) (\w+)")
_PLACE = re.compile(r"\$(\d+)")
_WITHIN = re.compile(r"WITH (\w+ AS \()")


def compound(statements: Sequence[str]) -> str | None:
    """One statement for writes with ``$1``, ``$2``, … for values, which takes all their values in this order.

    None where they cannot go together: one may need to see what another writes, or is no write.
    """
    if not _are_apart(statements):
        return None
    parts, before = [], 0
    for statement in statements:
        parts.append(_moved(statement, before))
        before += max(map(int, _PLACE.findall(statement)), default=0)
    (first, own), *others = map(_split, parts)
    within = [first] if first else []
    for number, (inner, rest) in reversed([*enumerate(others)]):
        within += [*([inner] if inner else []), f"w{number} AS ({rest})"]
    return f"WITH {', '.join(within)} {own}"


def _are_apart(statements: Sequence[str]) -> bool:
    written = [set(_WRITES.findall(statement)) for statement in statements]
    if not all(written):
        return False
    for place, tables in enumerate(written):
        named = re.compile(rf"\b(?:{'|'.join(sorted(tables))})\b")
        if any(named.search(other) for number, other in enumerate(statements) if number != place):
            return False
    return True


def _moved(statement: str, by: int) -> str:
    """The statement with places for values that come after so many others."""
    return _PLACE.sub(lambda match: f"${int(match[1]) + by}", statement)


def _split(statement: str) -> tuple[str, str]:
    """The part of its own ``WITH``, if it has one, and the rest: parts that write may stand at the top only."""
    begins = _WITHIN.match(statement)
    if begins is None:
        return "", statement
    depth, end = 1, begins.end()
    while depth:
        depth += {"(": 1, ")": -1}.get(statement[end], 0)
        end += 1
    return statement[begins.start(1) : end], statement[end:].strip()
