"""What stewards decide takes effect at once, holds through syncs and rebuilds, and is taken back without a trace."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from connectors.contract import Page, Record
from sync.database import Database
from sync.errors import Misused, Refused
from sync.master import decisions, landing, streams
from sync.master.tables import change
from sync.stewardship import acts
from sync.stewardship import services as s
from sync.stewardship.services import Steward
from tests.master_kit import MATCHER, NOW, consistent, dump, land, record, resolve, sync, today, without_ids
from tests.steward_kit import WideMapping, customers, do, fingerprint, golden_of, number_of, rebuild, rehearse

ANN, BOB, CAT = "erp/customers/1", "shop/customers/2", "shop/customers/3"


def strangers(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    sync(database, 2, record("2", name="Bob", tags=["b"]), record("3", name="Cat", tags=["c"]))


def wide(database: Database, stream_id: int, *records: Record) -> None:
    with database.hot_transaction() as connection:
        stream = streams.load(connection)[stream_id]
        landing.land(connection, stream, Page(records, {}), WideMapping(), MATCHER, now=NOW)
    resolve(database)


def test_same_joins_two_customers_that_have_nothing_in_common_and_undo_parts_them(database: Database) -> None:
    strangers(database)
    before = today(consistent(database))
    outcome = do(database, s.decide, ANN, BOB, "same")
    assert customers(database) == [{"e1", "s2"}, {"s3"}]
    assert [len(outcome.before), len(outcome.after)] == [2, 1]
    consistent(database)
    do(database, s.undo, outcome.decision)
    assert today(consistent(database)) == before


def test_different_parts_what_matched_and_undo_joins_it(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    sync(database, 2, record("2", name="Ann", tags=["a"]))
    before = today(consistent(database))
    outcome = do(database, s.decide, ANN, BOB, "different")
    assert customers(database) == [{"e1"}, {"s2"}]
    do(database, s.undo, outcome.decision)
    assert today(consistent(database)) == before


def test_a_decision_holds_through_edits_a_delete_and_a_rebuild(database: Database) -> None:
    strangers(database)
    do(database, s.decide, ANN, BOB, "same")
    sync(database, 2, record("2", name="Bobby", tags=["z"]))
    assert {"e1", "s2"} in customers(database)
    sync(database, 1, deleted=["1"])
    assert {"s2"} in customers(database)
    sync(database, 1, record("1", name="Ann is back", tags=["y"]))
    assert {"e1", "s2"} in customers(database)
    before = without_ids(consistent(database))
    rebuild(database)
    assert without_ids(consistent(database)) == before


def test_the_first_decision_is_seen_by_a_worker_that_had_looked_before(
    embedded: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers(embedded)
    do(embedded, s.decide, ANN, BOB, "same")
    told = iter([False])
    exist = decisions.exist
    monkeypatch.setattr(decisions, "exist", lambda bulk: next(told, None) is None and exist(bulk))
    sync(embedded, 2, record("2", name="Bob", tags=["b", "new"]))
    assert {"e1", "s2"} in customers(embedded)


def test_undecided_changes_nothing_and_a_later_word_replaces_it(embedded: Database) -> None:
    strangers(embedded)
    before = today(consistent(embedded))
    undecided = do(embedded, s.decide, ANN, BOB, "undecided").decision
    assert today(consistent(embedded)) == before
    same = do(embedded, s.decide, BOB, ANN, "same").decision
    with embedded.reading() as connection:
        assert s.log(connection, ANN)[1]._replace(undone_by=None).decision == undecided
        assert s.log(connection, ANN)[1].undone_by == same
    do(embedded, s.undo, same)
    with embedded.reading() as connection:
        assert next(one for one in s.log(connection) if one.decision == undecided).undone_by is None


def test_a_contradiction_is_refused_and_names_the_earlier_decisions(embedded: Database) -> None:
    strangers(embedded)
    apart = do(embedded, s.decide, ANN, CAT, "different").decision
    joined = do(embedded, s.decide, ANN, BOB, "same").decision
    before = fingerprint(embedded)
    with pytest.raises(s.Contradicted) as through_bob:
        do(embedded, s.decide, BOB, CAT, "same")
    assert through_bob.value.decisions == (apart, joined)
    assert "Mia" in str(through_bob.value)
    with pytest.raises(s.Contradicted) as direct:
        do(embedded, s.decide, ANN, BOB, "different")
    assert direct.value.decisions == (joined,)
    with pytest.raises(s.AlreadySaid):
        do(embedded, s.decide, BOB, ANN, "same")
    assert fingerprint(embedded) == before


def test_what_an_undo_brings_back_may_not_contradict_what_was_decided_since(embedded: Database) -> None:
    strangers(embedded)
    do(embedded, s.merge, [number_of(embedded, ANN), number_of(embedded, BOB)])
    apart = do(embedded, s.unmerge, number_of(embedded, ANN)).decision
    later = do(embedded, s.decide, ANN, BOB, "different").decision
    with pytest.raises(s.Contradicted) as refused:
        do(embedded, s.undo, apart)
    assert refused.value.decisions == (later,)
    do(embedded, s.undo, later)
    do(embedded, s.undo, apart)
    assert {"e1", "s2"} in customers(embedded)


def test_only_records_that_exist_can_be_decided_on(embedded: Database) -> None:
    strangers(embedded)
    for wrong in ("erp/customers/9", "erp/1", "nowhere/customers/1", "erp/customers/1#x", "\udcff/a/b", "a/b/\x00"):
        with pytest.raises(s.UnknownRecord):
            do(embedded, s.decide, ANN, wrong, "same")
    with pytest.raises(Misused):
        do(embedded, s.decide, ANN, ANN, "same")
    with pytest.raises(s.UnknownDecision):
        do(embedded, s.undo, 77)
    with pytest.raises(Misused):
        Steward(" ")
    with pytest.raises(Misused):
        Steward("x", "y" * 5_000)


def test_parts_of_records_are_named_with_a_hash(embedded: Database) -> None:
    sync(embedded, 1, record("1#a", name="Ann", contacts=[{"id": 7, "name": "Kim"}]), record("2", name="Bo"))
    with pytest.raises(Refused):
        do(embedded, s.decide, "erp/customers/1#a", "erp/customers/1#a#contact:7", "same")
    outcome = do(embedded, s.decide, "erp/customers/1#a", "erp/customers/2", "same")
    assert [ref.address for ref in outcome.after[0].records] == ["erp/customers/2", "erp/customers/1#a"]


def test_a_merge_lists_everything_against_it_at_once(database: Database) -> None:
    number = {"scheme": "eu.vat", "valid": True}
    wide(database, 1, record("1", name="A", identifiers=[{**number, "value": "DE1"}], tags=["gone"]))
    wide(database, 1, record("2", name="B", identifiers=[{**number, "value": "DE2"}]))
    wide(database, 1, record("3", name="P", kind="person"), record("4", name="G"))
    wide(database, 2, record("5", name="D"))
    wide(database, 1, record("4", name="G", tags=["gone"]))
    ids = {key: number_of(database, f"erp/customers/{key}") for key in "123"}
    deleted = number_of(database, "shop/customers/5")
    sync(database, 2, deleted=["5"])
    merged = next(iter(dump(database)["aliases"]))
    do(database, s.decide, "erp/customers/1", "erp/customers/2", "different")
    with database.reading() as connection:
        found = s.precheck(connection, [*ids.values(), deleted, merged, "C0000000000000", "nonsense"]).blockers
        alone = s.precheck(connection, [ids["1"], ids["1"].lower()]).blockers
    assert sorted(one.code for one in found) == [
        "deleted_id", "different_kinds", "different_tax_ids", "kept_apart", "merged_id", "unknown_id", "unknown_id",
    ]  # fmt: skip
    assert [one.code for one in alone] == ["too_few"]
    with pytest.raises(s.MergeBlocked) as refused:
        do(database, s.merge, [*ids.values()])
    assert {one.code for one in refused.value.blockers} == {"different_kinds", "different_tax_ids", "kept_apart"}


def test_a_merge_outlives_the_records_that_founded_its_customers(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    sync(database, 2, record("2", name="Ann", tags=["a"]), record("3", name="Cat", tags=["c"]))
    sync(database, 2, record("4", name="Cat", tags=["c"]))
    do(database, s.merge, [number_of(database, ANN), number_of(database, CAT)])
    assert customers(database) == [{"e1", "s2", "s3", "s4"}]
    sync(database, 1, deleted=["1"])
    sync(database, 2, deleted=["3"])
    assert customers(database) == [{"s2", "s4"}]
    consistent(database)


def test_an_excluded_record_stays_out_whatever_comes(database: Database) -> None:
    sync(database, 1, record("1", name="Ann", tags=["a"]))
    sync(database, 2, record("2", name="Ann", tags=["a"]), record("3", name="Ann", tags=["a"]))
    before = today(consistent(database))
    out = do(database, s.exclude, number_of(database, ANN), BOB).decision
    assert customers(database) == [{"e1", "s3"}, {"s2"}]
    sync(database, 2, record("4", name="Ann", tags=["a"]))
    assert not any("s2" in one and one & {"e1", "s3"} for one in customers(database))
    sync(database, 2, deleted=["4"])
    do(database, s.undo, out)
    assert today(consistent(database)) == before


def test_excluding_goes_over_a_merge_but_not_over_a_word_on_the_record_itself(embedded: Database) -> None:
    strangers(embedded)
    do(embedded, s.merge, [number_of(embedded, one) for one in (ANN, BOB, CAT)])
    before = today(consistent(embedded))
    out = do(embedded, s.exclude, number_of(embedded, ANN), BOB).decision
    assert customers(embedded) == [{"e1", "s3"}, {"s2"}]
    do(embedded, s.undo, out)
    assert today(consistent(embedded)) == before
    said = do(embedded, s.decide, ANN, BOB, "same").decision
    with pytest.raises(s.Contradicted) as refused:
        do(embedded, s.exclude, number_of(embedded, ANN), BOB)
    assert refused.value.decisions == (said,)
    with pytest.raises(s.UnknownCustomer):
        do(embedded, s.exclude, "C" + "0" * 13, BOB)


def test_only_a_member_among_others_can_be_excluded(embedded: Database) -> None:
    strangers(embedded)
    for customer, member in ((ANN, BOB), (ANN, ANN)):
        with pytest.raises(Refused):
            do(embedded, s.exclude, number_of(embedded, customer), member)


def test_unmerge_restores_the_customers_and_keeps_what_their_sources_said_since(database: Database) -> None:
    strangers(database)
    before = today(consistent(database))
    do(database, s.merge, [number_of(database, ANN), number_of(database, BOB)])
    do(database, s.unmerge, number_of(database, BOB))
    assert today(consistent(database)) == before
    do(database, s.merge, [number_of(database, ANN), number_of(database, BOB)])
    sync(database, 2, record("2", name="Bob of today", tags=["b"]))
    sync(database, 2, record("4", name="Bob", tags=["b"]))
    do(database, s.unmerge, number_of(database, ANN))
    after = consistent(database)
    assert customers(database) == [{"e1"}, {"s2", "s4"}, {"s3"}]
    assert set(after["customers"]) == set(before["customers"])
    assert golden_of(database, ANN) == {"kind": "organisation", "name": "Ann", "tags": ["a"]}


def test_unmerge_parts_customers_that_their_records_would_bring_together_by_now(database: Database) -> None:
    strangers(database)
    do(database, s.merge, [number_of(database, ANN), number_of(database, BOB)])
    sync(database, 1, record("1", name="Ann", tags=["a", "b"]))
    apart = do(database, s.unmerge, number_of(database, ANN)).decision
    assert customers(database) == [{"e1"}, {"s2"}, {"s3"}]
    with database.reading() as connection:
        blocked = s.precheck(connection, [number_of(database, ANN), number_of(database, BOB)]).blockers
    assert [one.code for one in blocked] == ["kept_apart"]
    do(database, s.undo, apart)
    assert {"e1", "s2"} in customers(database)


def test_unmerge_names_the_other_decisions_that_hold_the_customers_together(embedded: Database) -> None:
    strangers(embedded)
    first = do(embedded, s.merge, [number_of(embedded, ANN), number_of(embedded, BOB)]).decision
    second = do(embedded, s.merge, [number_of(embedded, ANN), number_of(embedded, CAT)]).decision
    with pytest.raises(s.Contradicted) as refused:
        do(embedded, s.unmerge, number_of(embedded, ANN), merge_act=first)
    assert refused.value.decisions == (second,)
    do(embedded, s.unmerge, number_of(embedded, ANN))
    assert customers(embedded) == [{"e1", "s2"}, {"s3"}]
    do(embedded, s.unmerge, number_of(embedded, ANN))
    with pytest.raises(s.CannotUndo):
        do(embedded, s.unmerge, number_of(embedded, ANN))


def test_an_undo_is_done_once_and_is_not_undone_itself(embedded: Database) -> None:
    strangers(embedded)
    said = do(embedded, s.decide, ANN, BOB, "same").decision
    undone = do(embedded, s.undo, said, by=Steward("Tom")).decision
    with pytest.raises(s.CannotUndo, match="Tom"):
        do(embedded, s.undo, said)
    with pytest.raises(s.CannotUndo):
        do(embedded, s.undo, undone)


def test_a_rehearsal_tells_the_outcome_and_writes_nothing(database: Database) -> None:
    strangers(database)
    ids = [number_of(database, ANN), number_of(database, BOB)]
    before = fingerprint(database)
    tried = rehearse(database, s.merge, ids)
    assert fingerprint(database) == before
    done = do(database, s.merge, ids)
    assert done == tried


def test_every_decision_is_one_change_for_consumers_to_see(embedded: Database) -> None:
    strangers(embedded)
    with embedded.reading() as connection:
        start = connection.execute(select(func.max(change.c.seq))).scalar_one()
    do(embedded, s.decide, ANN, BOB, "same")
    with embedded.reading() as connection:
        kinds = connection.execute(select(change.c.type).where(change.c.seq > start)).scalars().all()
    assert sorted(kinds) == ["merged", "updated"]


def test_the_log_tells_who_when_why_and_about_what(embedded: Database) -> None:
    strangers(embedded)
    do(embedded, s.decide, ANN, BOB, "same", by=Steward("Tom", "met both"))
    do(embedded, s.decide, BOB, CAT, "different")
    with embedded.reading() as connection:
        newest, oldest = s.log(connection)
        assert (oldest.by, oldest.reason, oldest.verdict, oldest.sides) == ("Tom", "met both", "same", [[ANN], [BOB]])
        assert [one.decision for one in s.log(connection, CAT)] == [newest.decision]
        assert [one.decision for one in s.log(connection, number_of(embedded, ANN))] == [2, 1]
        assert [one.decision for one in s.log(connection, before=2)] == [1]
        assert s.log(connection, limit=1) == [newest]


def test_a_decision_whose_effect_was_cut_off_is_pending_like_any_landing(embedded: Database) -> None:
    strangers(embedded)
    with embedded.transaction() as connection:
        acts.queue(connection, acts.anchors(connection, [s.decide(connection, Steward("Mia"), ANN, BOB, "same")]))
    land(embedded, 1, [record("9", name="Nine")])
    resolve(embedded)
    assert {"e1", "s2"} in customers(embedded)
