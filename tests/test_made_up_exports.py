"""The made-up exports that accuracy is measured on: each can be written, and says who is who."""

from __future__ import annotations

import csv
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from stdnum.cn import uscc

from benchmarks.exports import EXPORTS, write
from benchmarks.exports.errors import Change, one_change
from benchmarks.exports.making import Key

pytestmark = pytest.mark.slow

each_export = pytest.mark.parametrize("name", EXPORTS)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@each_export
def test_every_row_of_an_export_says_who_it_is(name: str, tmp_path: Path) -> None:
    rows = _rows(write(name, tmp_path))
    assert len(rows) == EXPORTS[name].size
    assert all(row[EXPORTS[name].truth] for row in rows)


@each_export
def test_a_third_of_those_in_an_export_stand_in_several_rows_that_differ(name: str, tmp_path: Path) -> None:
    export = EXPORTS[name]
    left_out = {export.truth, export.key.column if export.key else ""}
    rows = _rows(write(name, tmp_path))
    sizes = Counter(row[export.truth] for row in rows)
    contents = {(row[export.truth], *(value for key, value in row.items() if key not in left_out)) for row in rows}
    several = sum(size > 1 for size in sizes.values())
    assert 0.33 < several / len(sizes) < 0.5
    assert max(sizes.values()) == max(export.copies)
    assert len(contents) > 0.95 * len(rows)


@each_export
def test_the_same_seed_gives_the_same_export_and_another_one_another(name: str, tmp_path: Path) -> None:
    first, again, other = (write(name, tmp_path, seed).read_bytes() for seed in (5, 5, 6))
    assert first == again
    assert first != other


@each_export
def test_rows_of_one_customer_do_not_stand_together(name: str, tmp_path: Path) -> None:
    truths = [row[EXPORTS[name].truth] for row in _rows(write(name, tmp_path))]
    neighbours = sum(truth == following for truth, following in pairwise(truths))
    assert neighbours < len(truths) / 100


@pytest.mark.parametrize(("name", "key"), [(name, export.key) for name, export in EXPORTS.items() if export.key])
def test_the_numbers_of_rows_are_unique(name: str, key: Key, tmp_path: Path) -> None:
    numbers = [row[key.column] for row in _rows(write(name, tmp_path))]
    assert len(set(numbers)) == len(numbers)


def test_tax_numbers_of_suppliers_are_valid_but_for_some_with_a_wrong_digit(tmp_path: Path) -> None:
    numbers = [row["统一社会信用代码"] for row in _rows(write("suppliers_cn", tmp_path))]
    given = [number for number in numbers if number]
    assert 0.97 * len(given) < sum(map(uscc.is_valid, given)) < len(given)


def test_a_change_that_does_not_apply_is_followed_by_the_next_and_none_beyond_the_last_bound() -> None:
    chance = random.Random(1)
    changes: list[tuple[float, Change[str]]] = [
        (0.25, lambda _chance, _text: None),
        (0.5, lambda _chance, _text: "changed"),
    ]
    made = Counter(one_change(chance, "as it was", changes) for _ in range(2_000))
    assert set(made) == {"as it was", "changed"}
    assert 0.45 < made["changed"] / 2_000 < 0.55
