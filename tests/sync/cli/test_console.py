"""Progress on the terminal: one bar for each part whatever its state, and reasons told once."""

from __future__ import annotations

import pytest

from sync.cli import console


def test_a_part_keeps_its_bar_when_its_state_changes() -> None:
    with console.progress() as bar:
        bar.update("shop.customers", 0, None, "queued")
        bar.update("shop.customers", 5, 10, "running")
        (task,) = bar._progress.tasks
        assert (task.description, task.completed, task.total) == ("shop.customers running", 5, 10)


def test_a_reason_is_told_once_and_without_what_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress() as bar:
        for _ in range(3):
            bar.note("shop does not answer \x1b[2J")
    assert capsys.readouterr().err.count("shop does not answer \ufffd[2J") == 1


def test_a_customer_is_shown_with_a_row_for_each_entry_of_a_list() -> None:
    customer = {
        "name": "Zhang Wei",
        "phones": [{"value": "+8613800001111", "kind": "mobile", "verified": True}, {"value": "+862155550000"}],
        "addresses": [{"city": "Shanghai", "country": "CN"}],
        "credit_limit": 5000,
    }
    assert console.field_rows(customer) == [
        ("name", "Zhang Wei"),
        ("phones", "+8613800001111  kind: mobile, verified"),
        ("", "+862155550000"),
        ("addresses", "city: Shanghai, country: CN"),
        ("credit_limit", "5000"),
    ]
