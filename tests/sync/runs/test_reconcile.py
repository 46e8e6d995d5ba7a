"""Reconcile: counts and checksums that do not depend on order, and what differs by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.runs import reconcile as reconciling
from sync.runs.reconcile import CannotReconcile, compare, latest, reconcile
from tests.sync.runs.lab import CONNECTION, Lab


def test_a_synced_stream_agrees_with_its_source(lab: Lab) -> None:
    lab.source.fill(25)
    lab.sync()
    outcome = reconcile(lab.database, lab.stream, lab.workspace.open(CONNECTION))
    assert outcome.agrees
    assert outcome.source == outcome.live
    assert outcome.source.count == 25


def test_drift_is_shown_by_name_and_recorded(lab: Lab) -> None:
    lab.source.fill(25)
    lab.sync()
    lab.source.remove("k0001", "k0002")
    lab.source.put("new")
    outcome = reconcile(lab.database, lab.stream, lab.workspace.open(CONNECTION))
    assert not outcome.agrees
    assert (outcome.missing, outcome.missing_count) == (["new"], 1)
    assert (outcome.extra, outcome.extra_count) == (["k0001", "k0002"], 2)
    assert outcome.source.checksum != outcome.live.checksum
    with lab.reading() as connection:
        assert latest(connection, lab.stream.id) == outcome
        assert latest(connection, 99) is None


def test_what_stands_in_quarantine_explains_what_is_missing(lab: Lab) -> None:
    lab.source.fill(5)
    lab.source.put("k0003", name=7)
    lab.sync()
    outcome = reconcile(lab.database, lab.stream, lab.workspace.open(CONNECTION))
    assert (outcome.missing, outcome.quarantined, outcome.agrees) == (["k0003"], 1, True)


def test_an_empty_stream_can_be_compared(lab: Lab) -> None:
    assert compare(lab.database, lab.stream, []).agrees
    assert compare(lab.database, lab.stream, [["a"], []]).missing == ["a"]


def test_a_source_that_cannot_list_its_keys_is_refused_with_a_remedy(lab: Lab) -> None:
    lab.workspace.config["ids"] = False
    with pytest.raises(CannotReconcile) as refused:
        reconcile(lab.database, lab.stream, lab.workspace.open(CONNECTION))
    assert "--full" in refused.value.remedy


def test_thousands_of_keys_are_compared_in_batches(sqlite_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "BATCH", 7)
    sqlite_lab.source.fill(300)
    sqlite_lab.sync()
    keys = sorted(sqlite_lab.source.keys(), reverse=True)
    outcome = compare(sqlite_lab.database, sqlite_lab.stream, [keys[:100], keys[50:], ["extra", *keys[:3]]])
    assert (outcome.source.count, outcome.live.count, outcome.missing) == (301, 300, ["extra"])


@given(st.sets(st.text(max_size=20), max_size=50), st.randoms())
def test_a_checksum_depends_on_the_keys_alone(keys: set[str], random: object) -> None:
    shuffled = list(keys)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    digests = [reconciling._digest(key) for key in keys]
    assert reconciling._checksum(digests) == reconciling._checksum(reconciling._digest(key) for key in shuffled)
    if keys:
        assert reconciling._checksum(digests) != reconciling._checksum(digests[1:])
