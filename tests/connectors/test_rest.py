"""A REST manifest at work against a real HTTP API: reading, deletes, writing, errors."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import orjson
import pytest

from connectors.budget import LocalBudget
from connectors.conformance import Copy
from connectors.contract import Capability, Context, Deletes, Mode, Read, Write
from connectors.errors import (
    BadConfiguration,
    BadCredentials,
    CursorExpired,
    RecordRejected,
    RetryLater,
    StreamBroken,
    WaitUntil,
    WriteConflict,
)
from connectors.rest import bind_file
from tests.connectors.rest_manifests import PAGES, TYPICAL, AcmeSource
from tests.connectors.rest_server import RestServer

OFFSET = "{kind: offset, max: 1000, total: count}"
STREAM = TYPICAL[: TYPICAL.index("    deletes:")]
"""The typical manifest without deletes and write."""


@pytest.fixture
def server() -> Iterator[RestServer]:
    with RestServer(rows=8) as running:
        yield running


@pytest.fixture
def connect(server, tmp_path):
    """A connector for a manifest text; settings may be added."""
    made = []

    def make(manifest: str = TYPICAL, context: Context | None = None, **settings):
        source = AcmeSource(server, tmp_path / f"m{len(made)}", manifest)
        given = source.settings() | settings
        known = source.connector.config_model.model_fields
        config = source.connector.config_model(**{k: v for k, v in given.items() if k in known})
        made.append(source.connector(config, context or source.context()))
        return made[-1]

    yield make
    for connector in made:
        connector.close()


def keys(connector, **request) -> list[str]:
    pages = connector.read(Read("customers", **request))
    return [record.key for page in pages for record in page.records]


def test_a_typical_vendor_takes_25_lines_or_less():
    lines = [line for line in TYPICAL.splitlines() if line.strip()]
    assert len(lines) <= 25
    for feature in ("check:", "auth:", "rate:", "pages:", "incremental:", "deletes:", "write:"):
        assert feature in TYPICAL


def test_a_record_is_the_very_slice_the_system_sent(connect, server):
    (page, *_) = connect().read(Read("customers"))
    sent = server.rows["c00001"]
    assert page.records[0].body == orjson.dumps(sent) or orjson.loads(page.records[0].body) == sent
    assert page.records[0].changed_at == sent["updated_at"][:-1] + "000Z"
    assert page.total == 8


def test_the_check_says_whom_we_are_logged_in_as(connect):
    assert str(connect().check()) == "Logged in to Acme CRM as Integration."


def test_without_a_check_call_reading_is_what_proves_the_login(connect, server):
    connector = connect(TYPICAL.replace("check: {path: /me, says: user.name}\n", ""))
    assert "lets us read" in connector.check().message
    assert "limit=1" in server.calls[-1]


def test_streams_are_described_with_what_they_can_do(connect):
    (stream,) = connect().discover()
    assert stream.capabilities == {Capability.INCREMENTAL, Capability.WRITE}
    assert stream.deletes is Deletes.FEED
    assert {field.path: field.type for field in stream.fields}["edits"] == "number"


# --- what comes and goes while reading


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("habit", ["fair", "ignores", "null"])
def test_whatever_happens_meanwhile_the_copy_ends_equal(server, tmp_path, seed, habit):
    """Changes, additions, deletes and crashes at random moments; two quiet runs later both sides agree."""
    chance = random.Random(seed)
    server.habits.ignores_filter = server.habits.ignores_sort = habit == "ignores"
    server.habits.stamps_null_until_edit = habit == "null"
    source = AcmeSource(
        server,
        tmp_path / "m",
        TYPICAL.replace("updated_at", "[updated_at, created_at]") if habit == "null" else TYPICAL,
    )
    connector = source.connect()
    copy = Copy(connector, source)

    def stir() -> None:
        action, key = chance.choice(["add", "update", "update", "delete"]), chance.choice(sorted(server.rows))
        if action == "add":
            server.add()
        elif action == "update":
            server.update(key)
        elif len(server.rows) > 3:
            server.delete(key)

    mode, cursor = Mode.FULL, None
    for _ in range(4):
        resumed, done = False, False
        while not done:
            done = True
            for page in copy.pages("", mode, cursor, resumed=resumed):
                copy.apply(page, "")
                cursor, resumed = copy.cursors[""], True
                stir()
                if chance.random() < 0.2:
                    done = False
                    break
        mode = Mode.INCREMENTAL
    copy.incremental().incremental()
    connector.close()
    assert {key: body["edits"] for key, body in copy.bodies.items()} == {
        key: row["edits"] for key, row in server.rows.items()
    }


@pytest.mark.parametrize(
    "gone", [["c00001"], ["c00003"], ["c00001", "c00002", "c00003"], ["c00002", "c00003", "c00004"]]
)
@pytest.mark.parametrize("crash", [False, True])
def test_deletes_during_the_read_make_no_offset_pass_over_a_row(connect, server, gone, crash):
    connector, read = connect(), Read("customers", page_size=3)
    pages = connector.read(read)
    first = next(pages)
    for key in gone:
        server.delete(key)
    if crash:
        pages = connector.read(Read("customers", cursor=first.cursor, resumed=True, page_size=3))
    seen = {record.key for page in [first, *pages] for record in page.records}
    assert set(server.rows) <= seen


def test_an_offset_may_be_kept_to_multiples_of_the_limit(connect, server):
    connector = connect(STREAM.replace("kind: offset", "kind: offset, overlap: false"))
    assert keys(connector, page_size=3) == sorted(server.rows)
    assert [call.partition("offset=")[2].partition("&")[0] for call in server.calls] == ["0", "3", "6"]


def test_rows_that_move_to_the_end_make_no_offset_pass_over_a_row(connect, server):
    connector = connect(STREAM + "    params: {sort: updated_at}\n")
    server.habits.before_page = lambda number: server.update(f"c0000{number}") if number < 5 else None
    assert set(keys(connector, page_size=3)) == set(server.rows)


def test_the_cursor_never_passes_the_beginning_of_the_read(connect, server):
    connector, ends = connect(), []
    server.habits.before_page = lambda number: server.update("c00001")
    started = server.now()
    for page in connector.read(Read("customers", page_size=3)):
        ends.append(page.cursor)
    assert ends[-1]["main"]["value"] <= started.isoformat()[:19] + "Z"


def test_a_read_that_was_complete_reads_nothing_when_resumed(connect, server):
    connector = connect()
    *_, last = connector.read(Read("customers"))
    before = len(server.calls)
    (page,) = connector.read(Read("customers", cursor=last.cursor, resumed=True))
    assert (list(page.records), page.cursor, len(server.calls)) == ([], last.cursor, before)


def test_an_incremental_read_asks_only_for_what_changed(connect, server):
    manifest = TYPICAL.replace("lookback: 2", "lookback: 0")
    connector = connect(manifest)
    for row in server.rows.values():
        row["updated_at"] = "2026-01-01T00:00:00.000Z"
    *_, last = connector.read(Read("customers"))
    server.update("c00004")
    changed = keys(connector, mode=Mode.INCREMENTAL, cursor=last.cursor)
    assert "c00004" in changed
    assert "since=2026-01-01T00%3A00%3A00.000Z" in server.calls[-1]


@pytest.mark.parametrize("kind", ["cursor", "link"])
def test_a_position_the_system_has_forgotten_starts_the_read_again(connect, server, kind):
    connector = connect(STREAM.replace(OFFSET, PAGES[kind]))
    first = next(iter(connector.read(Read("customers", page_size=3))))
    server.generation = "g2:"
    assert set(keys(connector, cursor=first.cursor, resumed=True, page_size=3)) == set(server.rows)


def test_a_foreign_cursor_is_expired_not_a_crash(connect):
    for cursor in ({"main": 3}, {"main": {"value": "yesterday"}}, {"main": {"value": 7}}):
        with pytest.raises(CursorExpired):
            keys(connect(), mode=Mode.INCREMENTAL, cursor=cursor)


def test_a_row_committed_late_is_found_within_the_look_back(connect, server):
    connector = connect()
    *_, last = connector.read(Read("customers"))
    stamp = (server.now() - timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    late = server.add(updated_at=stamp)  # older than what was read, visible only now
    server.add()
    assert late in keys(connector, mode=Mode.INCREMENTAL, cursor=last.cursor)


def test_a_backfill_is_bounded_by_the_change_stamp(connect, server):
    for number, row in enumerate(server.rows.values(), 1):
        row["updated_at"] = f"2026-01-{number:02}T00:00:00.000Z"
    manifest = STREAM.replace(
        '{params: {since: "{cursor.value}"}', '{params: {since: "{cursor.value}", until: "{cursor.until}"}'
    )
    since, until = (
        server.now().replace(year=2026, month=1, day=day, hour=0, minute=0, second=0, microsecond=0) for day in (3, 5)
    )
    assert keys(connect(manifest), since=since, until=until) == ["c00003", "c00004", "c00005"]


# --- shapes of APIs


def test_a_search_is_a_post_whose_body_holds_filter_and_paging(connect, server):
    manifest = STREAM.replace("path: /customers", "path: /customers/search\n    method: POST\n    body: {sort: id}")
    manifest = manifest.replace(OFFSET, "{kind: offset, max: 3, total: count, into: body}").replace(
        "params: {since", "body: {since"
    )
    connector = connect(manifest)
    *_, last = connector.read(Read("customers"))
    assert len(keys(connector)) == 8
    server.update("c00002")
    assert "c00002" in keys(connector, mode=Mode.INCREMENTAL, cursor=last.cursor)
    assert all(call == "POST /customers/search" for call in server.calls)


def test_partitions_are_read_one_by_one(connect, server):
    for number, row in enumerate(server.rows.values()):
        row["region"] = "cn" if number % 2 else "de"
    manifest = STREAM + '    params: {region: "{partition}"}\n    partitions: {names: [cn, de]}\n'
    connector = connect(manifest)
    assert connector.partitions("customers") == ("cn", "de")
    parts = [set(keys(connector, partition=part)) for part in connector.partitions("customers")]
    assert len(parts[0]) == len(parts[1]) == 4
    assert parts[0] | parts[1] == set(server.rows)


def test_partitions_may_be_listed_by_the_system(connect):
    connector = connect(STREAM + '    partitions: {path: /ids, key: id}\n    params: {region: "{partition}"}\n')
    assert len(connector.partitions("customers")) == 8


def test_a_field_may_mark_a_record_as_deleted(connect, server):
    server.rows["c00003"]["deleted_at"] = "2026-01-01T00:00:00Z"
    server.rows["c00004"]["deleted_at"] = None
    pages = list(connect(STREAM + "    deletes: {field: deleted_at}\n").read(Read("customers", page_size=3)))
    assert [key for page in pages for key in page.deleted] == ["c00003"]
    assert sum(len(page.records) for page in pages) == 7


def test_an_answer_without_its_list_is_not_an_empty_system(connect, server):
    with pytest.raises(StreamBroken, match="no list at people"):
        keys(connect(STREAM.replace("records: customers", "records: people")))
    absent = STREAM.replace("records: customers", "records: people\n    may_be_absent: true").replace(
        ", total: count", ""
    )
    assert keys(connect(absent)) == []


def test_a_status_may_mark_a_record_as_deleted(connect, server):
    server.rows["c00003"]["status"], server.rows["c00004"]["status"] = "archived", "active"
    pages = list(connect(STREAM + "    deletes: {field: status, equals: [archived, gone]}\n").read(Read("customers")))
    assert [key for page in pages for key in page.deleted] == ["c00003"]


def test_ids_come_from_their_own_call_where_there_is_one(connect, server):
    connector = connect(STREAM + "    deletes: sweep\n    ids: {path: /ids, key: id}\n")
    assert {key for batch in connector.ids("customers") for key in batch} == set(server.rows)
    assert server.calls == ["GET /ids"]


def test_a_composite_key_joins_its_parts(connect):
    assert keys(connect(STREAM.replace("key: id", "key: [id, edits]")))[0] == "c00001|0"


def test_more_results_than_the_system_shows_are_read_in_windows(connect, server):
    server.habits.result_cap = 6
    for number, row in enumerate(server.rows.values()):
        row["updated_at"] = f"2026-02-{1 + number // 3:02}T00:00:0{number}.000Z"
    manifest = STREAM.replace('"{cursor.value}"}', '"{cursor.value}", until: "{cursor.until}"}') + "    window_cap: 6\n"
    connector = connect(manifest)
    assert set(keys(connector, page_size=3)) == set(server.rows)
    assert any("until=" in call for call in server.calls)


# --- logging in, limits, errors


def test_a_token_that_expires_is_renewed_while_reading(connect, server):
    server.habits.token_life = 0.15
    manifest = STREAM.replace(
        'auth: {kind: bearer, token: "{config.api_key}"}',
        'auth: {kind: client_credentials, token_url: "{config.base_url}/token", client_id: client,\n'
        '  client_secret: "{config.api_key}"}',
    )
    server.habits.before_page = lambda number: __import__("time").sleep(0.1)
    connector = connect(manifest, api_key=server.CLIENT[1])
    assert len(keys(connector, page_size=2)) == 8
    assert server.calls.count("POST /token") >= 2


def test_a_request_to_wait_is_kept_by_everyone(connect, server):
    server.habits.fail_next.append((429, {"Retry-After": "120"}))
    with pytest.raises(WaitUntil) as caught:
        keys(connect())
    assert 100 < (caught.value.until - Context("x").now()).total_seconds() <= 121


def test_refused_credentials_name_the_setting_and_not_the_secret(connect):
    with pytest.raises(BadCredentials) as caught:
        keys(connect(api_key="wrong-key-93"))
    assert "api_key" in str(caught.value)
    assert "wrong-key-93" not in f"{caught.value} {caught.value.params} {caught.value.remedy}"


RULES = """errors:
  - {path: code, equals: [40014, 42001], raise: bad_credentials, text: message}
  - {path: code, differs: 0, raise: stream_broken}
base_url:"""


def test_an_error_told_with_status_200_is_an_error(connect, server):
    server.habits.errors_with_200 = True
    with pytest.raises(BadCredentials, match="invalid token"):
        keys(connect(TYPICAL.replace("\nbase_url:", "\n" + RULES), api_key="wrong"))
    assert len(keys(connect(TYPICAL.replace("\nbase_url:", "\n" + RULES)))) == 8


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        ("stream_broken", StreamBroken),
        ("bad_configuration", BadConfiguration),
        ("wait", WaitUntil),
        ("cursor_expired", CursorExpired),
    ],
)
def test_a_status_may_be_given_a_meaning(connect, server, raised, kind):
    server.habits.fail_next.append((418, {}))
    rule = f"errors: [{{status: 418, path: error, equals: on purpose, raise: {raised}, text: error}}]\nbase_url:"
    with pytest.raises(kind):
        keys(connect(TYPICAL.replace("\nbase_url:", "\n" + rule)))


@pytest.mark.parametrize(("text", "kind"), [("ON PURPOSE", StreamBroken), ("by accident", RetryLater)])
def test_a_rule_may_look_for_words(connect, server, text, kind):
    server.habits.fail_next += [(503, {})] * 8
    rule = f"errors: [{{status: 503, path: error, contains: {text}, raise: stream_broken}}]\nbase_url:"
    with pytest.raises(kind):
        keys(connect(TYPICAL.replace("\nbase_url:", "\n" + rule)))


def test_calls_are_weighed_and_taken_from_the_budget(connect, server):
    taken: list[float] = []

    class Counted(LocalBudget):
        def take(self, weight: float = 1.0) -> None:
            taken.append(weight)

    context = Context("x", allow_private=["127.0.0.0/8"], budget=Counted())
    connector = connect(TYPICAL.replace("per: 1}", "per: 1, read: 2, write: 5}"), context)
    connector.check()
    connector.write("customers", [Write({"email": "n@example.com"}, "k1")])
    assert taken == [2.0, 2.0, 5.0]  # the check, a record of the stream, the write


def test_an_unknown_stream_names_the_nearest(connect):
    with pytest.raises(BadConfiguration, match="Nearest: customers"):
        list(connect().read(Read("custommers")))


def test_an_address_must_be_an_address(connect):
    with pytest.raises(Exception, match="https://"):
        connect(base_url="ftp://x.example")


# --- writing


def write(connector, body, key=None, idempotency_key="w1", expected=None):
    (result,) = connector.write("customers", [Write(body, idempotency_key, key, expected)])
    return result


def test_a_create_sent_twice_makes_one_record(connect, server):
    connector = connect()
    first, again = (write(connector, {"email": "new@example.com"}) for _ in range(2))
    assert first.key == again.key
    assert first.error is None
    assert len(server.rows) == 9


def test_an_update_with_an_old_stamp_is_a_conflict(connect, server):
    connector = connect()
    stamp = next(iter(connector.read(Read("customers")))).records[0].changed_at
    assert write(connector, {"name": "One", "email": "1@x.example"}, "c00001", "w2", stamp).key == "c00001"
    late = write(connector, {"name": "Two", "email": "2@x.example"}, "c00001", "w3", stamp)
    assert isinstance(late.error, WriteConflict)
    assert server.rows["c00001"]["name"] == "One"


FIND = (
    TYPICAL[: TYPICAL.index("      idempotency_header")]
    + """\
      find: {path: /customers, params: {email: "{body.email}"}}
      create: {path: /customers, key: customer.id}
      update: {method: PUT, path: "/customers/{key}", key: customer.id}
"""
)


def test_a_record_is_looked_up_before_it_is_created(connect, server):
    connector = connect(FIND)
    first = write(connector, {"email": "f@example.com", "name": "A"})
    again = write(connector, {"email": "f@example.com", "name": "B"})
    assert (first.created, again.created, first.key == again.key) == (True, False, True)
    assert server.rows[first.key]["name"] == "B"


def test_a_record_without_the_field_it_is_looked_up_by_is_refused_alone(connect):
    connector = connect(FIND)
    refused = write(connector, {"name": "nameless"})
    assert isinstance(refused.error, RecordRejected)
    assert "email" in str(refused.error)


def test_one_refused_record_does_not_keep_its_neighbours(connect, server):
    taken = server.rows["c00001"]["email"]
    batch = [Write({"email": mail}, f"n{i}") for i, mail in enumerate(["a@x.example", taken, "b@x.example"])]
    results = connect().write("customers", batch)
    assert [type(result.error).__name__ for result in results] == ["NoneType", "WriteConflict", "NoneType"]


def test_a_stream_without_write_cannot_be_written(connect):
    with pytest.raises(BadConfiguration, match="cannot be written"):
        connect(STREAM).write("customers", [Write({}, "x")])


def test_keys_in_addresses_are_encoded(connect, server):
    result = write(connect(), {"name": "x", "email": "e@x.example"}, key="../me?x=/")
    assert isinstance(result.error, RecordRejected)
    assert server.calls[-1] == "PUT /customers/..%2Fme%3Fx%3D%2F"


# --- manifests that are wrong


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("{config.api_key}", "{config.apikey}", "unknown place {config.apikey}; nearest: {config.api_key}"),
        ("kind: offset", "kind: ofset", "streams.customers.pages cannot be ofset"),
        ("kind: bearer", "kind: baerer", "Nearest: bearer"),
        (
            "changed_at: updated_at",
            "changedat: updated_at",
            "line 17: unknown setting streams.customers.changedat. Did you mean changed_at?",
        ),
        ("      idempotency_header: Idempotency-Key\n", "", "a repeated write makes duplicates"),
        (
            "lookback: 2}",
            "lookback: 2}\n    window_cap: 5",
            "needs an incremental filter with {cursor.value} and {cursor.until}",
        ),
        ("    key: id\n", "", "streams.customers.key is missing"),
        ("secret: true", "secret: true, default: abc", "a secret is a text without default"),
        ("calls: 1000", "calls: 0", "rate.calls"),
        ("changed_at: updated_at", "changed_at: updated_at\n    stamps: isoo", "stamps"),
        ("changed_at: updated_at", "changed_at: updated_at\n    zone: Mars", "there is no time zone 'Mars'"),
    ],
)
def test_a_wrong_manifest_says_where_and_what(tmp_path, right, wrong, expected):
    assert right in TYPICAL
    path = tmp_path / "manifest.yaml"
    path.write_text(TYPICAL.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(BadConfiguration) as caught:
        bind_file(path)
    told = "\n".join([str(caught.value), *map(str, caught.value.also)])
    assert expected in told
    assert "manifest.yaml, line" in told


def test_secrets_are_nowhere_to_be_seen(connect):
    connector = connect()
    assert "test-key" not in f"{connector!r} {connector._wire!r} {vars(connector)!r}"


def test_settings_are_a_model_with_help_in_both_languages(connect):
    fields = type(connect()).config_model.model_fields
    assert fields["api_key"].description.startswith("API key")
    assert fields["api_key"].json_schema_extra == {"zh": "有客户读取权限的密钥"}
    assert "test-key" not in repr(connect().config)
