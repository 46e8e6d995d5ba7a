"""Finding customers in a large master on PostgreSQL: names, fragments, pinyin, emails, phones, numbers, filters.

``python -m benchmarks.search PROJECT`` asks a filled project (``benchmarks.million`` makes one) what people ask: texts
taken from customers drawn at random, and awkward ones. What is timed is what ``GET /api/v1/customers`` does but for
HTTP: taking in the latest changes, finding, loading a page of 50. Each question is asked three times; stated are the
best wall time of the three, and of the same question the CPU of this process and of its PostgreSQL session (where the
server is on this machine): about what an idle machine takes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import text

from mappings.normalise.scripts import has_han, pinyin
from sync.master.search import index, query, terms
from sync.master.search.terms import Condition
from sync.project import Project

PAGE, TIMES = 50, 3
CLASHES = (
    "wang gmbh",
    "ltd 张",
    "王 smith",
    "zhang ltd",
    "gmbh 有限公司",
    "z w",
    "s j",
    "qq.com ltd",
    "x q",
    "gmail 公司",
)
"""Words that many have, and few together."""


class Question(NamedTuple):
    """What is asked, by kind."""

    kind: str
    said: str
    conditions: list[Condition]


def sample(project: Project, count: int, chance: random.Random) -> list[dict[str, Any]]:
    """Golden records of customers drawn at random."""
    found: dict[int, dict[str, Any]] = {}
    statement = text("SELECT id, golden FROM customer WHERE status = 'active' AND id >= :at ORDER BY id LIMIT 1")
    with project.database.reading() as connection:
        low, high = connection.execute(text("SELECT min(id), max(id) FROM customer")).one()
        while len(found) < count:
            row = connection.execute(statement, {"at": chance.randint(low, high)}).one_or_none()
            if row is not None:
                found[row.id] = orjson.loads(row.golden)
    return list(found.values())


def questions(goldens: list[dict[str, Any]], chance: random.Random) -> Iterator[Question]:
    """What people type who look for these customers."""
    for golden in goldens:
        name = str(golden.get("name", ""))
        yield from (Question(kind, said, terms.words(said)) for kind, said in _of_name(name, chance))
        for email in golden.get("emails", ())[:1]:
            yield Question("email, whole", email["value"], terms.words(email["value"]))
            yield Question("email, its beginning", email["value"][:4], terms.words(email["value"][:4]))
        for phone in golden.get("phones", ())[:1]:
            digits = phone["value"].removeprefix("+")
            yield Question("phone, whole", digits, terms.words(digits))
            yield Question("phone, last four", digits[-4:], terms.words(digits[-4:]))
            yield Question("phone, three digits", digits[2:5], terms.words(digits[2:5]))
        for number in golden.get("identifiers", ())[:1]:
            yield Question("identifier", number["value"], terms.words(number["value"]))
        whose = terms.of_kind(str(golden.get("kind")))
        word = name[:2] if has_han(name) else name.split()[0]
        yield Question("name, of a kind", word, [*terms.words(word), whose])
        yield Question("name, in a system", word, [*terms.words(word), terms.known_to(chance.choice(("crm", "pos")))])
    for said in CLASHES:
        yield Question("words that clash", said, terms.words(said))
    for said in "zwae张王公a1":
        yield Question("one character", said, terms.words(said))
    for said in ("zh", "wa", "ma", "el", "张伟", "北京", "公司", "en", "13", "qq", "李娜"):
        yield Question("two characters", said, terms.words(said))
    yield Question("only a filter", "kind", [terms.of_kind("organisation")])
    yield Question("only a filter", "connection", [terms.known_to("crm")])
    yield Question("only a filter", "small connection", [terms.known_to("pos")])
    yield Question("only a filter", "tag", [terms.tagged("vip"), terms.of_kind("person")])


def _of_name(name: str, chance: random.Random) -> Iterator[tuple[str, str]]:
    if has_han(name):
        yield "Chinese name", name
        at = chance.randrange(max(1, len(name) - 1))
        yield "Chinese name, two characters", name[at : at + 2]
        yield "Chinese name, one character", name[at]
        yield "pinyin", "".join(pinyin(name))
        yield "pinyin, initials", "".join(syllable[:1] for syllable in pinyin(name))
    elif words := name.split():
        yield "Latin name", name
        word = chance.choice(words)
        yield "Latin name, a word", word
        yield "Latin name, three letters", word[:3]


class Taken(NamedTuple):
    """Milliseconds of one question."""

    wall: float
    cpu: float


def ask(project: Project, conditions: list[Condition]) -> Taken:
    """Ask once."""
    began, used = time.perf_counter(), time.process_time()
    index.catch_up(project.database, 200)
    with project.database.reading() as connection:
        session = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
        before = _cpu(session)
        index.behind(connection)
        query.customers(connection, conditions, limit=PAGE + 1)
        used -= _cpu(session) - before
    return Taken((time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000)


def _cpu(session: int) -> float:
    """Seconds of processor time that a session of a server on this machine has used; 0 of others (Linux)."""
    try:
        return int(Path(f"/proc/{session}/schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


def p99(values: list[float]) -> float:
    """The value that 99 of 100 do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def main() -> None:
    """Ask everything, print a line a kind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search")
    parser.add_argument("project", type=Path)
    parser.add_argument("--customers", type=int, default=150, help="from which questions are made")
    parser.add_argument("--worst", type=int, default=8, help="how many of the slowest are shown")
    given = parser.parse_args()
    project, chance = Project.load(given.project), random.Random(4)
    asked = list(questions(sample(project, given.customers, chance), chance))
    chance.shuffle(asked)
    ask(project, asked[0].conditions)
    taken = [(one, [ask(project, one.conditions) for _ in range(TIMES)]) for one in asked]
    kinds = sorted({one.kind for one in asked})
    for kind in [*kinds, None]:
        best = [min(times) for one, times in taken if kind in (None, one.kind)]
        wall, cpu = [one.wall for one in best], [one.cpu for one in best]
        print(
            f"{kind or 'all':30} {len(best):5}   wall p50 {statistics.median(wall):6.1f}  p99 {p99(wall):7.1f}"
            f"   CPU p50 {statistics.median(cpu):6.1f}  p99 {p99(cpu):7.1f}  ms",
            flush=True,
        )
    for one, times in sorted(taken, key=lambda pair: -min(pair[1]).cpu)[: given.worst]:
        print(f"  wall {min(times).wall:6.1f}  CPU {min(times).cpu:6.1f} ms  {one.kind}: {one.said}")
    project.close()


if __name__ == "__main__":
    main()
