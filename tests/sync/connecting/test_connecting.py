"""Forms of settings, drafts, files of their own, rehearsals and versions of mappings, on a small real project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from connectors.contract import Config
from connectors.errors import BadConfiguration, BadCredentials, RetryLater
from connectors.registry import load_registry
from mappings.errors import SpecError
from sync import attention, mapping_trials, mapping_versions, migrations, oneshot, overview
from sync.attention import Standing
from sync.connecting import drafts, forms, probing, rehearsal, settings
from sync.errors import Misused, NotFound
from sync.master import queries
from sync.project import Project
from sync.runs import services

MAPPING = "customer:\n  kind: person\n  name: name\n  emails: [email]\n"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "sheet.people.yaml").write_text(MAPPING)
    (tmp_path / "people.csv").write_text("id,name,email\n1,张伟,zhang@example.com\n2,李娜,lina@example.com\n")
    (tmp_path / "fair.csv").write_text("编号,姓名,邮箱\na1,张伟,zhang@example.com\na2,王芳,wang@example.com\n")
    (tmp_path / "kehu.yaml").write_text(
        "region: CN\nconnections:\n  sheet:\n    connector: files\n    every: never\n    streams: {people: }\n"
        "    settings: {streams: {people: {path: people.csv, key: id}}, settle_seconds: 0}\n"
    )
    made = Project.load(tmp_path)
    migrations.migrate(made.database)
    with made.database.transaction() as connection:
        made.register(connection)
    oneshot.finish(made, oneshot.request(made, oneshot.targets(made, [])), lambda _views: None)
    yield made
    made.close()


def begun(project: Project, name: str = "fair") -> None:
    drafts.begin(project, name, "files")
    values = {"connector": "files", "settings": {"path": "fair.csv", "settle_seconds": 0}, "streams": {"fair": {}}}
    drafts.save(project, name, values)


def customers(project: Project) -> int:
    with project.database.reading() as connection:
        return queries.stats(connection).customers


@pytest.mark.parametrize("info", list(load_registry()), ids=lambda info: info.id)
def test_every_connector_has_a_form_in_both_languages(info: object) -> None:
    fields = forms.fields_of(info.config_model)  # type: ignore[attr-defined]
    assert fields
    for one in fields:
        assert one.told("en"), one.name
        assert one.told("zh"), one.name
        assert one.kind in {"text", "secret", "number", "choice", "yes_no", "lines", "yaml"}


class Sample(Config):
    address: str
    password: SecretStr | None = None
    port: int = 80
    names: list[str] = Field(default_factory=list)


def test_what_is_typed_is_taken_literally() -> None:
    fields = forms.fields_of(Sample)
    read, faults = forms.read(fields, {"address": "a${HOME}b", "port": "81", "names": "x\n\n y ", "password": "p"})
    assert read == {"address": "a$${HOME}b", "port": 81, "names": ["x", "y"]}
    assert faults == {}
    assert forms.shown(fields, read)["address"] == "a${HOME}b", "and shown as it was typed"


@pytest.mark.parametrize("reference", ["file:/etc/passwd", "vault:other", "keyring:a/b"])
def test_a_form_cannot_refer_to_what_is_the_servers(reference: str) -> None:
    _read, faults = forms.read(forms.fields_of(Sample), {"address": reference})
    assert list(faults) == ["address"]


def test_a_failed_test_points_at_fields() -> None:
    fields = forms.fields_of(Sample)
    assert forms.blamed(fields, BadCredentials("no")) == ["password"]
    assert forms.blamed(fields, BadCredentials("no"), given=["address"]) == ["password"]
    assert forms.blamed(fields, RetryLater("gone")) == ["address"]
    assert forms.blamed(fields, BadConfiguration("x", setting="connections.a.settings.port")) == ["port"]


def test_secrets_are_sealed_and_never_stand_in_a_file(project: Project) -> None:
    begun(project)
    canary = "canary-4711"
    references = settings.store_secrets(project, "fair", {"password": canary})
    drafts.save(project, "fair", {**drafts.own_data(project, "fair"), "every": "1h"})
    assert references == {"password": "vault:connections/fair/password"}
    assert project.resolved(references["password"], "password") == canary
    written = [path for path in project.folder.rglob("*") if path.is_file() and path.suffix in (".yaml", ".db")]
    assert all(canary.encode() not in path.read_bytes() for path in written)
    with project.database.transaction() as connection:
        drafts.discard(project, connection, "fair")
    with pytest.raises(BadConfiguration):
        project.resolved(references["password"], "password")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "sheet"])
def test_a_connection_needs_a_free_name_that_is_no_path(project: Project, name: str) -> None:
    with pytest.raises((Misused, NotFound)):
        drafts.begin(project, name, "files")


def test_a_rehearsal_counts_what_the_sync_would_do_and_stores_nothing(project: Project) -> None:
    begun(project)
    trial = drafts.trial(project, "fair")
    assert probing.draft_mapping(trial, "fair", "fair")
    before = customers(project)
    found = rehearsal.rehearse(trial, "fair", "fair")
    assert (found.create, found.match, found.rejected, found.whole) == (1, 1, 0, True)
    assert customers(project) == before
    with project.database.reading() as connection, pytest.raises(NotFound):
        services.find_stream(connection, "fair", "fair")
    drafts.publish(project, "fair")
    oneshot.finish(project, oneshot.request(project, oneshot.targets(project, ["fair"])), lambda _views: None)
    assert customers(project) == before + found.create, "and the sync does just that"


def test_a_file_of_its_own_is_a_connection_and_followed(project: Project) -> None:
    begun(project)
    other = Project.load(project.path)
    drafts.publish(project, "fair")
    assert (project.folder / "connections.d" / "fair.yaml").is_file()
    assert drafts.names(project) == []
    assert "fair" not in other.settings.connections
    assert other.refresh()
    assert other.is_included("fair")
    assert not other.refresh(), "nothing has changed since"
    other.close()


def test_a_faulty_file_changes_nothing_and_is_named(project: Project) -> None:
    folder = project.folder / "connections.d"
    folder.mkdir()
    (folder / "bad.yaml").write_text("connector: files\nevry: 5m\n")
    with pytest.raises(BadConfiguration, match=r"bad\.yaml, line 2.*every"):
        project.refresh()
    assert list(project.settings.connections) == ["sheet"]
    (folder / "bad.yaml").rename(folder / "sheet.yaml")
    with pytest.raises(BadConfiguration, match="stands in"):
        project.refresh()


def test_a_removed_connection_keeps_its_records_and_loses_its_secrets(project: Project) -> None:
    begun(project)
    probing.draft_mapping(drafts.trial(project, "fair"), "fair", "fair")
    drafts.publish(project, "fair")
    settings.store_secrets(project, "fair", {"password": "p"})
    drafts.remove(project, "fair")
    assert "fair" not in project.settings.connections
    with project.database.reading() as connection:
        standing = {one.name: one.standing for one in attention.connections(overview.streams(connection))}
    assert standing["fair"] is Standing.REMOVED
    with pytest.raises(Misused):
        drafts.remove(project, "sheet")


def test_mappings_have_versions_and_are_not_overwritten_unseen(project: Project) -> None:
    before = mapping_versions.current(project, "sheet", "people")
    changed = MAPPING.replace("  emails: [email]\n", "")
    number = mapping_versions.publish(project, "sheet", "people", changed, over=before.digest, note="no emails")
    with project.database.reading() as connection:
        versions = mapping_versions.versions(connection, "sheet", "people")
    assert [one.number for one in versions] == [number, 1], "what was there before is kept"
    assert versions[-1].contents == MAPPING
    assert (project.folder / "mappings" / "sheet.people.yaml").read_text() == changed
    with pytest.raises(mapping_versions.ChangedMeanwhile):
        mapping_versions.publish(project, "sheet", "people", MAPPING, over=before.digest)
    with pytest.raises(SpecError):
        mapping_versions.publish(
            project, "sheet", "people", "customer: {nme: x}", over=mapping_versions.digest(changed)
        )
    assert (project.folder / "mappings" / "sheet.people.yaml").read_text() == changed


def test_a_mapping_says_how_many_customers_it_would_change(project: Project) -> None:
    found = mapping_trials.sampled(project, "sheet", "people")
    assert (found.total, found.whole, found.stored) == (2, True, True)
    before = mapping_versions.compiled(project, "sheet", "people", MAPPING)
    after = mapping_versions.compiled(project, "sheet", "people", MAPPING.replace("[email]", "[id]"))
    effect = mapping_trials.effect(before, after, found)
    assert (effect.changed, effect.customers, effect.estimate) == (2, 2, None)
    assert mapping_trials.effect(before, before, found).changed == 0
    unread = mapping_versions.compiled(project, "sheet", "people", "customer: {kind: person, name: name}")
    likely = [one for one in mapping_trials.suggestions(unread, found.records) if mapping_trials.is_likely(one.guess)]
    assert ("email", "emails") in [(one.guess.path, one.guess.target) for one in likely]


WRITTEN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8)


@given(WRITTEN, WRITTEN, st.floats(0, 0.999))
def test_a_place_to_look_at_lies_between_the_first_key_and_the_last(one: str, other: str, share: float) -> None:
    first, last = sorted((one, other))
    found = mapping_trials.between(first, last, share)
    width = len(found)
    assert first.ljust(width)[:width] <= found <= last.ljust(width)[:width]


def test_places_are_spread_over_numbers_and_foreign_keys() -> None:
    places = [mapping_trials.between("0000001", "1290000", share / 10) for share in range(10)]
    assert places == sorted(places)
    assert len({place[:2] for place in places}) > 5
    assert mapping_trials.between("客户-1", "客户-9", 0.5).startswith("客户-")


def test_a_large_stream_is_sampled_from_several_places(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{n:05},Person {n},p{n}@example.com\n" for n in range(600))
    (project.folder / "people.csv").write_text("id,name,email\n" + rows)
    oneshot.finish(project, oneshot.request(project, oneshot.targets(project, [])), lambda _views: None)
    found = mapping_trials.sampled(project, "sheet", "people", 50)
    assert (found.total, found.whole, found.stored) == (600, False, True)
    keys = sorted(int(one.key) for one in found.records)
    assert 20 <= len(keys) <= 50
    assert keys[-1] - keys[0] > 200


def test_what_fails_needs_you_and_what_was_paused_on_purpose_does_not(project: Project) -> None:
    def standing() -> Standing:
        with project.database.reading() as connection:
            return attention.connections(overview.streams(connection))[0].standing

    assert standing() is Standing.GOOD
    with project.database.transaction() as connection:
        services.pause_connection(connection, "sheet")
    assert standing() is Standing.PAUSED
    with project.database.transaction() as connection:
        services.resume_connection(connection, "sheet")
    (project.folder / "people.csv").unlink()
    oneshot.finish(project, oneshot.request(project, oneshot.targets(project, [])), lambda _views: None)
    assert standing() is Standing.NEEDS_YOU
