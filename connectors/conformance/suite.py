"""The tests themselves: one per promise of ``connectors.contract``."""

# ruff: noqa: S101, D102 - this is a test module; its names are its documentation

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from connectors.conformance.source import Copy, Source, Unsupported, stored
from connectors.contract import (
    Capability,
    Checked,
    Connector,
    Deletes,
    Mode,
    Page,
    Read,
    Stream,
    Write,
    WriteResult,
)
from connectors.errors import BadConfiguration, BadCredentials, ConnectorError, WriteConflict
from connectors.manifest import load_manifest
from connectors.quality import load_quality

TEN_YEARS = 315_360_000
"""In seconds: longer ago than any change of a test source."""


class ConformanceSuite:
    """Inherit, give the fixture ``source``; every promise of ``connectors.contract`` is then tested."""

    @pytest.fixture
    def source(self) -> Any:
        """The driver of the system under test: override me."""
        raise NotImplementedError("give the fixture `source`")

    @pytest.fixture
    def connector(self, source: Source) -> Iterator[Connector[Any]]:
        """A connector with the working settings."""
        connector = source.connect()
        yield connector
        connector.close()

    @pytest.fixture
    def stream(self, source: Source, connector: Connector[Any]) -> Stream:
        """The stream under test, as discovered."""
        found = {stream.name: stream for stream in connector.discover()}
        assert source.stream in found, f"discover() does not list {source.stream}, only {sorted(found)}"
        return found[source.stream]

    @pytest.fixture
    def copy(self, source: Source, connector: Connector[Any]) -> Copy:
        """An empty copy to read into."""
        return Copy(connector, source)

    # --- logging in and configuration

    def test_check_passes_and_says_so_in_a_sentence(self, connector: Connector[Any]) -> None:
        checked = connector.check()
        assert isinstance(checked, Checked)
        assert len(checked.message) > 5
        told = str(checked)
        assert not [name for name in checked.params if f"{{{name}}}" in told], f"a place is not filled: {told}"

    def test_wrong_credentials_are_refused_naming_the_setting(self, source: Source) -> None:
        settings, setting = supported(source.wrong_credentials)
        connector = source.connect(settings)
        with pytest.raises(BadCredentials) as caught:
            connector.check()
        text = f"{caught.value} {caught.value.remedy} {caught.value.params}"
        assert setting in text, f"the error does not name the setting {setting}: {text}"
        for secret in secrets(connector):
            assert secret not in text
        connector.close()

    def test_an_unreachable_system_is_an_error_of_the_contract(self, source: Source) -> None:
        connector = source.connect(supported(source.unreachable))
        with pytest.raises(ConnectorError):
            connector.check()
        connector.close()

    def test_an_unknown_setting_is_refused_by_name(self, source: Source) -> None:
        with pytest.raises(BadConfiguration, match="no_such_setting"):
            source.connect({**source.settings(), "no_such_setting": 1})

    def test_every_setting_has_a_help_text(self, source: Source) -> None:
        fields = source.connector.config_model.model_fields
        assert [name for name, info in fields.items() if not info.description] == []

    def test_the_manifest_is_valid_in_both_languages_and_its_documentation_exists(self, source: Source) -> None:
        manifest, _ = load_manifest(source.manifest)
        assert manifest.id == source.connector.id
        assert (source.manifest.parent / manifest.docs).is_file()

    def test_the_quality_scale_is_there(self, source: Source) -> None:
        assert load_quality(source.folder) is not None, f"there is no quality.yaml in {source.folder}"

    def test_no_secret_is_shown(self, source: Source, connector: Connector[Any]) -> None:
        shown = f"{connector!r} {connector.config!r} {connector.config} {connector.context!r}"
        for secret in secrets(connector):
            assert secret not in shown

    def test_closing_twice_is_harmless(self, source: Source) -> None:
        connector = source.connect()
        connector.close()
        connector.close()

    # --- records, cursors

    def test_the_stream_is_discovered_with_its_fields(self, stream: Stream) -> None:
        assert len(stream.fields) > 0
        assert len({field.path for field in stream.fields}) == len(stream.fields)

    def test_an_unknown_stream_is_an_error_of_the_contract(self, connector: Connector[Any]) -> None:
        with pytest.raises(ConnectorError):
            list(connector.read(Read("no_such_stream")))

    def test_a_full_read_equals_the_source(self, source: Source, copy: Copy) -> None:
        assert len(source.keys()) >= 2 * source.page_size + 1, "the source needs more records to make three pages"
        assert set(copy.full().bodies) == source.keys()

    def test_keys_are_stable_and_unique(self, source: Source, copy: Copy, connector: Connector[Any]) -> None:
        first = copy.full().bodies
        again = Copy(connector, source)
        for partition in connector.partitions(source.stream):
            for page in again.pages(partition, Mode.FULL):
                for record in page.records:
                    assert record.key
                    body = orjson.loads(record.body)
                    assert first[record.key] == body, f"two different records share the key {record.key}"
                again.apply(page, partition)
        assert set(again.bodies) == set(first)

    def test_bodies_are_json_objects_and_stamps_are_utc(self, source: Source, copy: Copy) -> None:
        for partition in copy.connector.partitions(source.stream):
            for record in (r for page in copy.pages(partition, Mode.FULL) for r in page.records):
                assert isinstance(record.body, bytes)
                assert isinstance(orjson.loads(record.body), dict)
                if record.changed_at is not None:
                    stamp = datetime.fromisoformat(record.changed_at)
                    assert stamp.utcoffset() is not None
                    assert not stamp.utcoffset(), f"{record.changed_at} is not UTC"

    def test_a_page_holds_no_more_than_was_asked_for_twice_over(self, source: Source, copy: Copy) -> None:
        for partition in copy.connector.partitions(source.stream):
            pages = list(copy.pages(partition, Mode.FULL))
            assert all(len(page.records) <= 2 * source.page_size for page in pages)

    def test_resuming_from_any_page_loses_nothing(self, source: Source, connector: Connector[Any]) -> None:
        for partition in connector.partitions(source.stream):
            pages = list(Copy(connector, source).pages(partition, Mode.FULL))
            whole = keys_of(pages)
            for number, page in enumerate(pages):
                rest = Copy(source.connect(), source)
                resumed = list(rest.pages(partition, Mode.FULL, stored(page.cursor), resumed=True))
                assert keys_of(pages[: number + 1]) | keys_of(resumed) == whole, f"lost after page {number + 1}"
                rest.connector.close()

    # --- what changed

    def test_an_incremental_read_returns_what_changed(self, source: Source, copy: Copy, stream: Stream) -> None:
        require(stream, Capability.INCREMENTAL)
        copy.full()
        changed, added = sorted(source.keys())[1], source.add()
        source.update(changed)
        copy.incremental()
        assert {changed, added} <= copy.changed
        assert copy.bodies == fresh(source)

    def test_nothing_is_lost_when_nothing_changed(self, source: Source, copy: Copy, stream: Stream) -> None:
        require(stream, Capability.INCREMENTAL)
        copy.full().incremental().incremental()
        assert copy.bodies == fresh(source)

    def test_equal_stamps_across_a_page_edge_lose_nothing(self, source: Source, copy: Copy, stream: Stream) -> None:
        require(stream, Capability.INCREMENTAL)
        copy.full()
        tied = sorted(source.keys())[: 2 * source.page_size + 1]
        supported(lambda: source.tie(tied))
        assert set(tied) <= copy.incremental().changed
        assert copy.bodies == fresh(source)

    def test_equal_stamps_survive_a_crash_at_any_page(self, source: Source, copy: Copy, stream: Stream) -> None:
        require(stream, Capability.INCREMENTAL)
        copy.full()
        tied = set(sorted(source.keys())[: 2 * source.page_size + 1])
        supported(lambda: source.tie(sorted(tied)))
        for partition, cursor in copy.cursors.items():
            pages = list(copy.pages(partition, Mode.INCREMENTAL, cursor))
            whole = keys_of(pages)
            for number, page in enumerate(pages):
                rest = copy.pages(partition, Mode.INCREMENTAL, stored(page.cursor), resumed=True)
                assert whole <= keys_of(pages[: number + 1]) | keys_of(list(rest)), f"lost after page {number + 1}"

    def test_an_incremental_read_looks_back_as_far_as_it_is_asked_to(
        self, source: Source, copy: Copy, stream: Stream
    ) -> None:
        require(stream, Capability.INCREMENTAL)
        if not stream.lookback:
            pytest.skip("the stream needs no look-back")
        copy.full().incremental()
        found: dict[int, set[str]] = {}
        for lookback in (0, stream.lookback, TEN_YEARS):
            reads = [copy.pages(*read, lookback=lookback) for read in copy.incremental_reads()]
            found[lookback] = {key for read in reads for key in keys_of(list(read))}
        assert found[0] <= found[stream.lookback] <= found[TEN_YEARS]
        assert found[TEN_YEARS] == source.keys(), "a wide look-back does not read again what was changed long ago"

    def test_a_record_changed_during_the_read_is_not_lost(self, source: Source, copy: Copy, stream: Stream) -> None:
        require(stream, Capability.INCREMENTAL)
        first, *_, last = sorted(source.keys())

        def midway() -> None:
            source.update(first)
            source.update(last)
            source.add()

        copy.full(midway).incremental()
        assert copy.bodies == fresh(source)

    def test_deletes_become_known_in_the_declared_way(self, source: Source, copy: Copy, stream: Stream) -> None:
        if stream.deletes is Deletes.NONE:
            pytest.skip("the stream declares that it cannot tell deletes")
        gone = sorted(source.keys())[2]
        copy.full()
        supported(lambda: source.delete(gone))
        if stream.deletes is Deletes.FEED:
            assert gone in copy.incremental().deleted
        elif Capability.IDS in stream.capabilities:
            assert gone not in {key for batch in copy.connector.ids(source.stream) for key in batch}
        assert gone not in fresh(source)

    def test_ids_equal_the_source(self, source: Source, connector: Connector[Any], stream: Stream) -> None:
        require(stream, Capability.IDS)
        assert {key for batch in connector.ids(source.stream) for key in batch} == source.keys()

    # --- writing

    def test_a_written_record_exists_once_however_often_it_is_sent(
        self, source: Source, connector: Connector[Any], stream: Stream
    ) -> None:
        require(stream, Capability.WRITE)
        before = source.keys()
        write = Write(supported(lambda: source.body(1)), idempotency_key="conformance-1")
        first = written(connector.write(source.stream, [write]))
        again = written(connector.write(source.stream, [write]))
        assert first.key == again.key
        assert source.keys() - before == {first.key}

    def test_a_written_record_is_updated_by_its_key(
        self, source: Source, connector: Connector[Any], stream: Stream
    ) -> None:
        require(stream, Capability.WRITE)
        first = supported(lambda: source.body(2))
        key = written(connector.write(source.stream, [Write(first, "conformance-2")])).key
        before = source.keys()
        update = Write(source.body(3), "conformance-3", key=key)
        assert written(connector.write(source.stream, [update])).key == key
        assert source.keys() == before

    def test_results_come_in_the_order_of_the_batch(
        self, source: Source, connector: Connector[Any], stream: Stream
    ) -> None:
        require(stream, Capability.WRITE)
        bodies = supported(lambda: [source.body(number) for number in (4, 5, 6)])
        batch = [Write(body, f"conformance-{number}") for number, body in enumerate(bodies, 4)]
        results = connector.write(source.stream, batch)
        assert len(results) == len(batch)
        again = connector.write(source.stream, batch[::-1])
        assert [result.key for result in again] == [result.key for result in results][::-1]

    def test_a_conflicting_write_is_refused_and_overwrites_nothing(
        self, source: Source, connector: Connector[Any], stream: Stream
    ) -> None:
        require(stream, Capability.WRITE)
        write = supported(source.conflict)
        before = fresh(source)
        (result,) = connector.write(source.stream, [write])
        assert isinstance(result.error, WriteConflict)
        assert fresh(source) == before

    # --- webhooks

    def test_a_webhook_hints_at_what_changed(self, source: Source, connector: Connector[Any]) -> None:
        key = sorted(source.keys())[1]
        request = supported(lambda: source.webhook(key))
        assert connector.challenge(request) is None
        hints = connector.verify(request)
        assert source.stream in {hint.stream for hint in hints}
        assert {hint.key for hint in hints if hint.stream == source.stream} <= {key, None}

    def test_a_repeated_webhook_is_told_from_the_next_change(self, source: Source, connector: Connector[Any]) -> None:
        key = sorted(source.keys())[1]
        request = supported(lambda: source.webhook(key))
        first, again = connector.verify(request), connector.verify(request)
        assert first == again
        source.update(key)
        told = {hint.delivery_id for hint in connector.verify(source.webhook(key)) if hint.delivery_id}
        assert not told & {hint.delivery_id for hint in first}

    def test_a_forged_webhook_is_refused_and_shows_no_secret(self, source: Source, connector: Connector[Any]) -> None:
        request = supported(lambda: source.webhook(sorted(source.keys())[1]))
        with pytest.raises(BadCredentials) as caught:
            connector.verify(replace(request, headers={}, query={}))
        shown = f"{caught.value} {caught.value.remedy} {caught.value.params}"
        assert not [secret for secret in secrets(connector) if secret in shown]

    def test_a_hinted_record_is_fetched_as_a_read_would_have_brought_it(
        self, source: Source, connector: Connector[Any]
    ) -> None:
        key = sorted(source.keys())[1]
        request = supported(lambda: source.webhook(key))
        keys = [hint.key for hint in connector.verify(request) if hint.key and hint.stream == source.stream]
        if not keys:
            pytest.skip("its webhooks name no record: the stream is read incrementally")
        source.update(key)
        page = connector.fetch(source.stream, keys)
        assert {record.key: orjson.loads(record.body) for record in page.records} == {key: fresh(source)[key]}
        assert not page.deleted

    def test_a_hinted_record_that_is_gone_counts_as_deleted(self, source: Source, connector: Connector[Any]) -> None:
        other = sorted(source.keys())[1]
        key = supported(source.add)
        request = supported(lambda: source.webhook(key))
        if not [hint for hint in connector.verify(request) if hint.key]:
            pytest.skip("its webhooks name no record: the stream is read incrementally")
        supported(lambda: source.delete(key))
        page = connector.fetch(source.stream, [key, other])
        assert list(page.deleted) == [key]
        assert [record.key for record in page.records] == [other]


def supported(call: Callable[[], Any]) -> Any:
    """The call's answer; skips the test when the source does not support it."""
    try:
        return call()
    except Unsupported as reason:
        pytest.skip(str(reason))


def secrets(connector: Connector[Any]) -> list[str]:
    """The plain values of a connector's secret settings."""
    values = (getattr(connector.config, name) for name in type(connector.config).model_fields)
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr) and value.get_secret_value()]


def fresh(source: Source) -> dict[str, Any]:
    """All bodies as a new connector reads them now."""
    connector = source.connect()
    try:
        return Copy(connector, source).full().bodies
    finally:
        connector.close()


def keys_of(pages: Sequence[Page]) -> set[str]:
    """The keys of all records on these pages."""
    return {record.key for page in pages for record in page.records}


def require(stream: Stream, capability: Capability) -> None:
    """Skip the test unless the stream declares the capability."""
    if capability not in stream.capabilities:
        pytest.skip(f"the stream does not declare the capability {capability}")


def written(results: Sequence[WriteResult]) -> WriteResult:
    """The only result, which must be a success."""
    (result,) = results
    assert result.error is None, f"the write failed: {result.error}"
    assert result.key
    return result
