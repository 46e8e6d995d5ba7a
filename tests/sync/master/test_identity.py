"""Ids are pure, distinct and tolerant to read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.master.identity import founder_id, parse_public_id, public_id


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_a_public_id_reads_back_as_its_number(number: int) -> None:
    assert parse_public_id(public_id(number)) == number


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_case_and_look_alikes_do_not_matter(number: int) -> None:
    written = public_id(number).lower().replace("0", "o").replace("1", "l")
    assert parse_public_id(written) == number


@given(st.text(max_size=30))
def test_any_text_is_an_id_or_none(text: str) -> None:
    number = parse_public_id(text)
    assert number is None or 0 <= number < 2**63


def test_an_id_depends_on_every_part_of_the_address_and_on_nothing_else() -> None:
    addresses = [
        ("erp", "c", "1", ""),
        ("shop", "c", "1", ""),
        ("erp", "d", "1", ""),
        ("erp", "c", "2", ""),
        ("erp", "c", "1", "x"),
    ]
    assert len({founder_id(*address) for address in addresses}) == len(addresses)
    assert founder_id("erp", "c", "1") == founder_id("erp", "c", "1", "")


def test_ids_never_change_between_releases() -> None:
    assert public_id(founder_id("erp", "customers", "C001")) == "C6H4NS4FB2FJSK"
