"""The Mautic connector against a simulator of it, and with bodies as the documentation shows them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import responses

from connectors.contract import Connector, Context, Inbound, Mode, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    PermissionMissing,
    RecordRejected,
    StreamBroken,
    WriteConflict,
)
from connectors.mautic.connector import MauticConnector
from mappings.compile import compile_mapping
from mappings.spec import load_spec
from tests.connectors.mautic.mautic_simulator import Mautic
from tests.connectors.simulator import Answer, VendorSource, VendorSuite, registered

_moments = itertools.cycle(range(60))


class MauticSource(VendorSource):
    vendor = "mautic"
    stream = "contacts"
    server: Mautic

    def settings(self) -> dict[str, Any]:
        if self.server.oauth:
            login = {"client_id": Mautic.USER, "client_secret": Mautic.KEY}
        else:
            login = {"username": Mautic.USER, "password": Mautic.KEY}
        return {"base_url": self.server.url, "webhook_secret": Mautic.HOOK, **login}

    def wrong_credentials(self) -> tuple[dict[str, Any], str]:
        name = "client_secret" if self.server.oauth else "password"
        return self.settings() | {name: "wrong-secret-000"}, name

    def body(self, number: int) -> dict[str, Any]:
        return {"email": f"written{number}@x.example", "firstname": "Written", "lastname": str(number)}

    def conflict(self) -> Write:
        one, other, *_ = sorted(self.server.rows)
        return Write({"email": self.server.rows[other]["fields"]["all"]["email"]}, "conflict", key=one)

    def webhook(self, key: str) -> Inbound:
        stamp = f"2026-01-02T03:04:{next(_moments):02}+00:00"
        return self.server.hook({"mautic.lead_post_save_update": [{"contact": {"id": int(key)}, "timestamp": stamp}]})


class MauticSuite(VendorSuite):
    throttled = Answer(429, {"errors": [{"message": "Too many requests", "code": 429}]})


class TestBasic(MauticSuite):
    @pytest.fixture
    def source(self) -> Iterator[MauticSource]:
        with Mautic() as server:
            yield MauticSource(server)


class TestOAuth(MauticSuite):
    @pytest.fixture
    def source(self) -> Iterator[MauticSource]:
        with Mautic() as server:
            server.oauth = True
            yield MauticSource(server)


@pytest.fixture
def mautic() -> Iterator[Mautic]:
    with Mautic() as server:
        yield server


@pytest.fixture
def connector(mautic: Mautic) -> Iterator[Any]:
    made = MauticSource(mautic).connect()
    yield made
    made.close()


def read(connector: Connector[Any], mode: Mode = Mode.FULL, cursor: Any = None, size: int = 1000) -> list[Any]:
    request = Read("contacts", mode, cursor, page_size=size)
    return [record for page in connector.read(request) for record in page.records]


class TestReading:
    def test_an_empty_mautic_answers_a_list_and_is_empty(self) -> None:
        with Mautic(rows=0) as server:
            connector = MauticSource(server).connect()
            assert read(connector) == []
            assert connector.check()
            connector.close()

    def test_a_contact_that_was_never_edited_is_found_by_its_creation(self, mautic: Mautic, connector: Any) -> None:
        cursor = [page.cursor for page in connector.read(Read("contacts"))][-1]
        new = {mautic.add() for _ in range(3)}
        assert None in {mautic.rows[key]["dateModified"] for key in new}
        assert new <= {record.key for record in read(connector, Mode.INCREMENTAL, cursor)}

    @pytest.mark.parametrize("habit", [{"refuses_dates": 500}, {"refuses_dates": 400}, {"ignores_dates": True}])
    def test_a_filter_by_date_that_is_not_obeyed_loses_nothing(
        self, mautic: Mautic, connector: Any, habit: dict[str, Any]
    ) -> None:
        cursor = [page.cursor for page in connector.read(Read("contacts"))][-1]
        for name, value in habit.items():
            setattr(mautic, name, value)
        mautic.update("1")
        mautic.rows["2"]["dateModified"] = "2020-01-01 00:00:00"  # which zone this is in, nobody says: it is read again
        assert {record.key for record in read(connector, Mode.INCREMENTAL, cursor, 3)} >= {"1", "2"}

    @pytest.mark.parametrize("habit", [{"refuses_ids": 500}, {"refuses_ids": 400}, {"ignores_ids": True}])
    def test_a_filter_by_id_that_is_not_obeyed_loses_nothing_either(
        self, mautic: Mautic, connector: Any, habit: dict[str, Any]
    ) -> None:
        for name, value in habit.items():
            setattr(mautic, name, value)
        pages = connector.read(Read("contacts", page_size=4))
        seen = {record.key for record in next(pages).records}
        mautic.delete("2")
        assert seen | {record.key for page in pages for record in page.records} >= set(mautic.rows)
        assert {key for keys in connector.ids("contacts") for key in keys} == set(mautic.rows)

    def test_the_zone_in_which_a_filter_is_read_cannot_hide_a_change(self, mautic: Mautic, connector: Any) -> None:
        cursor = [page.cursor for page in connector.read(Read("contacts"))][-1]
        read(connector, Mode.INCREMENTAL, cursor)
        asked = [call.query["where[0][val]"] for call in mautic.calls if "where[0][val]" in call.query]
        assert any(len(value) == 19 for value in asked)

    def test_a_mautic_that_gives_one_page_for_ever_is_noticed(self, mautic: Mautic, connector: Any) -> None:
        page = {"total": "9", "contacts": {"5": mautic.rows["5"]}}
        mautic.habits.fail_next = [Answer(200, page)] * 400
        with_two = {"total": "9", "contacts": {"5": mautic.rows["5"], "6": mautic.rows["6"]}}
        assert {record.key for record in read(connector)} == {"5"}
        mautic.habits.fail_next = [Answer(200, with_two)] * 400
        assert {record.key for record in read(connector)} == {"5", "6"}

    def test_an_answer_without_contacts_is_no_empty_mautic(self, mautic: Mautic, connector: Any) -> None:
        mautic.habits.fail_next = [Answer(200, {"ok": True})]
        with pytest.raises(StreamBroken):
            read(connector)

    def test_an_error_under_status_200_is_an_error(self, mautic: Mautic, connector: Any) -> None:
        mautic.habits.fail_next = [Answer(200, {"errors": [{"message": "boom", "code": 500}]})]
        with pytest.raises(StreamBroken, match="boom"):
            read(connector)

    def test_a_token_that_ends_amid_the_read_is_renewed_unseen(self, mautic: Mautic) -> None:
        mautic.oauth = True
        connector = MauticSource(mautic).connect()
        pages = connector.read(Read("contacts", page_size=3))
        first = next(pages)
        mautic.ended.add(f"{Mautic.KEY}-1")
        assert {r.key for page in (first, *pages) for r in page.records} == set(mautic.rows)
        connector.close()


class TestWriting:
    def test_only_what_differs_is_sent_and_the_rest_is_kept(self, mautic: Mautic, connector: Any) -> None:
        (result,) = connector.write("contacts", [Write({"firstname": "Ann", "lastname": "New"}, "w", "1")])
        assert result.error is None
        (sent,) = [call.json() for call in mautic.calls if call.method == "PATCH"]
        assert sent == {"lastname": "New"}
        assert mautic.rows["1"]["fields"]["all"]["country"] == "United Kingdom"

    def test_nothing_is_sent_when_nothing_differs(self, mautic: Mautic, connector: Any) -> None:
        connector.write("contacts", [Write({"firstname": "Ann", "phone": ""}, "w", "1")])
        assert not [call for call in mautic.calls if call.method != "GET"]

    def test_a_field_is_emptied_when_asked_for(self, mautic: Mautic, connector: Any) -> None:
        connector.write("contacts", [Write({"company": None}, "w", "1")])
        assert mautic.rows["1"]["fields"]["all"]["company"] is None

    def test_a_known_email_updates_that_contact_and_a_like_one_does_not(self, mautic: Mautic, connector: Any) -> None:
        same, like = connector.write(
            "contacts", [Write({"email": "C2@x.example", "lastname": "A"}, "w1"), Write({"email": "2@x.example"}, "w2")]
        )
        assert (same.key, same.created) == ("2", False)
        assert like.created
        assert len(mautic.rows) == 9

    def test_a_contact_newer_than_what_was_seen_is_not_overwritten(self, mautic: Mautic, connector: Any) -> None:
        mautic.update("1")
        (result,) = connector.write(
            "contacts", [Write({"lastname": "ours"}, "w", "1", expected="2026-01-01T00:00:00Z")]
        )
        assert isinstance(result.error, WriteConflict)
        assert mautic.rows["1"]["fields"]["all"]["lastname"] != "ours"

    def test_a_bad_record_is_rejected_and_its_neighbours_are_written(self, mautic: Mautic, connector: Any) -> None:
        batch = [Write({"country": "Atlantis"}, "w1", "1"), Write({"nope": 1}, "w2", "1"),
                 Write({"lastname": "x"}, "w3", "99"),
                 Write({"lastname": "x"}, "w4", "1/../2"), Write({"lastname": "x"}, "w5"),
                 Write({"lastname": "Good"}, "w6", "2")]  # fmt: skip
        results = connector.write("contacts", batch)
        assert [type(result.error) for result in results] == [RecordRejected] * 5 + [type(None)]
        assert results[0].error.path == "country"


class TestWritingTogether:
    BATCH = (
        Write({"lastname": "A"}, "w1", "1"),
        Write({"firstname": "Ann"}, "w2", "2"),
        Write({"country": "Atlantis"}, "w3", "3"),
        Write({"company": None}, "w4", "4"),
        Write({"lastname": "x"}, "w5", "99"),
        Write({"lastname": "ours"}, "w6", "5", expected="2020-01-01T00:00:00Z"),
        Write({"lastname": "B"}, "w7", "6"),
        Write({"lastname": "C"}, "w8", "7"),
        Write({"lastname": "D"}, "w9", "7"),
    )

    def lastnames(self, mautic: Mautic) -> dict[str, Any]:
        return {key: row["fields"]["all"]["lastname"] for key, row in mautic.rows.items()}

    def test_many_contacts_are_looked_at_and_changed_in_two_calls(self, mautic: Mautic, connector: Any) -> None:
        batch = [Write({"lastname": f"N{key}"}, f"w{key}", key) for key in sorted(mautic.rows)]
        assert all(result.error is None for result in connector.write("contacts", batch))
        assert [call.method for call in mautic.calls] == ["GET", "PATCH"]
        assert self.lastnames(mautic) == {key: f"N{key}" for key in mautic.rows}
        mautic.calls.clear()
        connector.write("contacts", batch)
        assert [call.method for call in mautic.calls] == ["GET"], "sent again, nothing differs"

    @pytest.mark.parametrize("answers", ["told", "nothing", "refused"])
    @pytest.mark.parametrize("search", [True, False])
    def test_each_record_has_its_own_result_whatever_is_answered_to_all(
        self, mautic: Mautic, connector: Any, answers: str, search: bool
    ) -> None:
        mautic.batches, mautic.knows_no_search_by_ids = answers, not search
        results = connector.write("contacts", self.BATCH)
        kinds = [type(result.error) for result in results]
        none = type(None)
        assert kinds == [none, none, RecordRejected, none, RecordRejected, WriteConflict, none, none, none]
        assert results[2].error.path == "country"
        names = self.lastnames(mautic)
        assert (names["1"], names["6"], names["7"]) == ("A", "B", "D")
        assert names["5"] != "ours"
        assert mautic.rows["4"]["fields"]["all"]["company"] is None

    def test_a_change_made_together_is_no_conflict_with_itself(self, mautic: Mautic, connector: Any) -> None:
        mautic.batches = "nothing"
        seen = {record.key: record.changed_at for record in read(connector)}
        batch = [Write({"lastname": "N"}, f"w{key}", key, expected=seen[key]) for key in ("1", "2")]
        assert [result.error for result in connector.write("contacts", batch)] == [None, None]


EVENTS = [
    {"mautic.lead_post_save_update": [{"contact": {"id": 7}, "timestamp": "…"}, {"contact": {"id": 7}}]},
    {"mautic.lead_post_save_new": [{"lead": {"id": "7"}}]},
    {"mautic.contact_channel_subscription_changed": {"contact": {"id": 7, "name": "李/娜"}}},
    {"mautic.lead_post_delete": [{"id": 7}]},
]


class TestWebhooks:
    @pytest.mark.parametrize("body", EVENTS)
    def test_a_signed_webhook_hints_at_its_contact(self, mautic: Mautic, connector: Any, body: Any) -> None:
        (hint,) = connector.verify(mautic.hook(body))
        assert (hint.stream, hint.key) == ("contacts", "7")
        assert hint.delivery_id == connector.verify(mautic.hook(body))[0].delivery_id

    def test_a_forged_webhook_is_refused(self, mautic: Mautic, connector: Any) -> None:
        good = mautic.hook(EVENTS[0])
        for bad in (
            mautic.hook(EVENTS[0], "other"),
            replace(good, body=good.body + b" "),
            replace(good, headers={}),
        ):
            with pytest.raises(BadCredentials) as caught:
                connector.verify(bad)
            assert Mautic.HOOK not in str(caught.value)

    @pytest.mark.parametrize("body", ["nothing", [], {"x": 1}, {"x": [1, None, {"contact": {"id": "1;--"}}]}])
    def test_a_signed_webhook_of_another_shape_hints_at_nothing(
        self, mautic: Mautic, connector: Any, body: Any
    ) -> None:
        assert connector.verify(mautic.hook(body)) == []

    def test_a_visitor_whom_nobody_knows_is_not_read_after_a_hint_either(self, mautic: Mautic, connector: Any) -> None:
        mautic.rows["1"]["dateIdentified"] = None
        mautic.rows["2"]["dateIdentified"] = "2026-01-02T03:04:05+00:00"
        page = connector.fetch("contacts", ["1", "2", "1;--"])
        assert ([record.key for record in page.records], list(page.deleted)) == (["2"], ["1"])

    @pytest.mark.parametrize("search", [True, False])
    def test_many_hinted_contacts_are_read_again_together(self, mautic: Mautic, connector: Any, search: bool) -> None:
        mautic.knows_no_search_by_ids = not search
        whole = {record.key: record.body for record in read(connector)}
        mautic.delete("3")
        mautic.calls.clear()
        page = connector.fetch("contacts", ["6", "7", "3"])
        assert {record.key: record.body for record in page.records} == {key: whole[key] for key in ("6", "7")}
        assert list(page.deleted) == ["3"]
        assert len(mautic.calls) == (2 if search else 4)

    def test_a_page_that_is_not_there_is_no_deleted_contact(self, mautic: Mautic, connector: Any) -> None:
        mautic.habits.fail_next = [Answer(404, b"<h1>Not Found</h1>", {"Content-Type": "text/html"})]
        with pytest.raises(BadConfiguration):
            connector.fetch("contacts", ["1"])

    def test_without_a_secret_nothing_is_taken(self, mautic: Mautic) -> None:
        connector = MauticSource(mautic).connect({**MauticSource(mautic).settings(), "webhook_secret": None})
        with pytest.raises(BadConfiguration) as caught:
            connector.verify(mautic.hook({}, ""))
        assert caught.value.setting == "webhook_secret"
        connector.close()


def test_settings_without_a_login_are_refused(mautic: Mautic) -> None:
    with pytest.raises(BadConfiguration, match="password"):
        MauticSource(mautic).connect({"base_url": mautic.url, "username": "kehu"})


HOST = "https://93.184.216.34"
EXAMPLE = {"total": "1", "contacts": {"47": {
    "id": 47, "isPublished": True, "dateAdded": "2025-12-01T00:00:00+00:00",
    "dateModified": "2026-01-02T03:04:05+00:00",
    "owner": {"id": 1, "username": "joe", "firstName": "Joe", "lastName": "S"}, "points": 10,
    "fields": {"all": {"id": 47, "firstname": "Ann", "lastname": "Lee", "email": "ann@x.example", "company": "Acme",
                       "phone": None, "country": "United Kingdom", "city": "Leeds"}},
    "tags": [{"tag": "vip"}],
    "doNotContact": [{"id": 2, "reason": 1, "comments": "", "channel": "email", "channelId": None}],
}}}  # fmt: skip


def documented() -> MauticConnector:
    config = {"base_url": HOST, "username": "kehu", "password": "p-1"}
    return MauticConnector(MauticConnector.config_model.model_validate(config), Context("mautic"))


@responses.activate
def test_the_documented_contact_is_read_and_mapped() -> None:
    responses.get(f"{HOST}/api/contacts", json=EXAMPLE)
    responses.get(f"{HOST}/api/contacts", json={"total": "1", "contacts": []})
    (record,) = read(documented())
    assert (record.key, record.changed_at) == ("47", "2026-01-02T03:04:05.000000Z")
    (found,) = compile_mapping(load_spec(registered("mautic").folder / "mapping.yaml"))(json.loads(record.body))
    customer = found.customer
    assert (customer["kind"], customer["family_name"], customer["status"]) == ("person", "Lee", "active")
    assert customer["consents"][0]["granted"] is False
    assert customer["tags"] == ["vip"]
    assert customer["addresses"][0]["country"] == "GB"


@responses.activate
@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (403, {"error": {"message": "You do not have access to the requested area/action.", "code": 403}},
         PermissionMissing, "do not have access"),
        (401, {"error": "invalid_grant", "error_description": "The access token provided has expired."},
         BadCredentials, "password"),
        (404, {"errors": [{"message": "Not found", "code": 404}]}, BadConfiguration, "no such interface"),
    ],
)  # fmt: skip
def test_documented_refusals(status: int, body: Any, kind: type[Exception], says: str) -> None:
    responses.get(f"{HOST}/api/contacts", json=body, status=status)
    with pytest.raises(kind, match=says):
        documented().check()


@responses.activate
def test_the_documented_validation_error_names_the_field() -> None:
    error = {"message": "email: This field is required", "code": 400, "details": {"email": ["This field is required"]},
             "type": "validation"}  # fmt: skip
    responses.get(f"{HOST}/api/contacts", json={"total": "0", "contacts": []})
    responses.post(f"{HOST}/api/contacts/new", json={"errors": [error]}, status=400)
    (result,) = documented().write("contacts", [Write({"email": "x@x.example"}, "w")])
    assert isinstance(result.error, RecordRejected)
    assert result.error.path == "email"
