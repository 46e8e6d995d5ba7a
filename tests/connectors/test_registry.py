"""Connectors are found, and a broken one never hides or harms another."""

from __future__ import annotations

import sys
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connectors.contract import Context
from connectors.errors import BadConfiguration
from connectors.registry import Registry, find_connector, load_registry

MANIFEST = """
id: {id}
title: {{en: Test system, zh: 测试系统}}
kind: crm
contract: {contract}
connector: {package}.plugin:Plugin
streams:
  people: {{title: {{en: People, zh: 人员}}, mapping: mapping.yaml}}
"""

OWN = """
id: own
title: {en: Our own, zh: 自有}
kind: crm
base_url: https://crm.example
streams:
  people: {title: {en: People, zh: 人员}, path: /people, records: people, key: id}
"""

CODE = """
from pydantic import Field, SecretStr
from connectors.contract import Checked, Config, Connector

class Settings(Config):
    base_url: str = Field(description="Where it is")
    token: SecretStr = Field(description="Secret")
    kind: str = Field("a", description="Kind", pattern="^[ab]$")

class Plugin(Connector[Settings]):
    id = "{id}"
    config_model = Settings
    def check(self): return Checked("All is well.")
    def discover(self): return []
    def read(self, request): yield from ()
"""


@pytest.fixture
def make_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a plugin package on the path; gives its entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, code: str = CODE, manifest: str = MANIFEST, contract: int = 1) -> EntryPoint:
        package = f"plugin_{name}_{abs(hash(tmp_path))}"
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "plugin.py").write_text(code.replace("{id}", name))
        (folder / "manifest.yaml").write_text(manifest.format(id=name, package=package, contract=contract))
        (folder / "mapping.yaml").write_text("{}")
        return EntryPoint(name, package, "kehu.connectors")

    return make


def plugins_only(*entries: EntryPoint) -> Registry:
    return load_registry(plugins=entries)


def test_a_plugin_is_listed_without_its_code_being_imported(make_plugin):
    entry = make_plugin("lazy", code="raise SystemExit('imported')")
    info = plugins_only(entry).get("lazy")
    assert info.broken is None
    assert info.title.to("zh-CN") == "测试系统"
    assert info.title.to("de") == "Test system"
    assert list(info.streams) == ["people"]
    assert info.mappings["mapping.yaml"].is_file()
    assert f"{entry.value}.plugin" not in sys.modules


def test_a_connector_is_created_with_its_settings(make_plugin):
    registry = plugins_only(make_plugin("fine"))
    connector = registry.create("fine", {"base_url": "https://x.example", "token": "t"}, Context("crm"))
    assert connector.check().message == "All is well."
    assert connector.context.connection == "crm"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no such library')", "no such library"),
        ("raise SystemExit(3)", "SystemExit"),
        ("def broken(:", "SyntaxError"),
        ("Plugin = 3", "is not a connector"),
        (CODE.replace("    config_model = Settings\n", ""), "has no config_model"),
        (CODE.replace('id = "{id}"', 'id = "other"'), "calls itself other"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_says_why_and_stays_listed(make_plugin, code, reason):
    registry = plugins_only(make_plugin("bad", code=code), make_plugin("good"))
    with pytest.raises(BadConfiguration, match=reason):
        registry.create("bad", {}, Context("x"))
    assert reason in str(registry.get("bad").broken)
    assert "bad" in [info.id for info in registry.verify()]
    assert registry.get("good").config_model.model_fields.keys() == {"base_url", "token", "kind"}


def test_a_plugin_for_another_contract_version_stays_listed_with_the_reason(make_plugin):
    info = plugins_only(make_plugin("old", contract=99)).get("old")
    assert "version 99" in str(info.broken)
    with pytest.raises(BadConfiguration, match="version 99"):
        info.load()


def test_a_bad_manifest_names_file_line_and_key(make_plugin):
    info = plugins_only(make_plugin("typo", manifest=MANIFEST.replace("kind:", "knid:"))).get("typo")
    text = str(info.broken)
    assert "manifest.yaml, line 4" in text
    assert "knid" in text
    assert "Did you mean kind?" in text or "kind" in text


def test_a_plugin_that_is_gone_stays_listed_with_the_reason():
    info = plugins_only(EntryPoint("gone", "no_such_package_here", "kehu.connectors")).get("gone")
    assert "not installed" in str(info.broken)


def test_an_entry_point_of_another_name_than_its_manifest_is_broken(make_plugin):
    entry = make_plugin("first")
    info = plugins_only(EntryPoint("second", entry.value, "kehu.connectors")).get("second")
    assert "called second" in str(info.broken)


def test_two_connectors_of_one_id_are_both_listed_and_the_first_one_counts(make_plugin, tmp_path):
    entry = make_plugin("twice")
    registry = plugins_only(entry, entry)
    both = [info for info in registry if info.id.startswith("twice")]
    assert [info.broken is None for info in both] == [True, False]


def test_an_unknown_connector_names_the_nearest(make_plugin):
    with pytest.raises(BadConfiguration, match="Did you mean pipedrife"):
        plugins_only(make_plugin("pipedrife")).get("pipedrive")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"base_url": "x", "tokn": "hunter2"}, "unknown setting tokn. Did you mean token?"),
        ({"base_url": "x"}, "the setting token is missing"),
        ({"base_url": "x", "token": "t", "kind": "c"}, "kind is not right"),
        ({"base_url": ["hunter2"], "token": "t"}, "base_url is not right"),
    ],
)
def test_a_wrong_setting_is_named_and_values_are_not_shown(make_plugin, settings, expected):
    registry = plugins_only(make_plugin("strict"))
    with pytest.raises(BadConfiguration) as caught:
        registry.create("strict", settings, Context("crm"))
    assert expected in str(caught.value)
    assert "connection crm" in str(caught.value)
    assert "hunter2" not in str(caught.value) + repr("".join(map(str, caught.value.also)))


def test_all_faults_are_told_at_once(make_plugin):
    registry = plugins_only(make_plugin("many"))
    with pytest.raises(BadConfiguration) as caught:
        registry.create("many", {"tokn": "x"}, Context("crm"))
    told = [str(caught.value), *map(str, caught.value.also)]
    assert len(told) == 3


def test_rest_manifests_of_the_project_are_connectors(tmp_path):
    (tmp_path / "acme.yaml").write_text(
        textwrap.dedent("""
        id: acme
        title: {en: Acme, zh: 极致}
        kind: crm
        base_url: https://acme.example
        streams:
          people: {title: {en: People, zh: 人员}, path: /people, key: id}
        """)
    )
    (tmp_path / "broken.yaml").write_text("id: [")
    (tmp_path / "acme.mapping.yaml").write_text("people: {}")
    registry = load_registry([tmp_path], plugins=())
    assert registry.get("acme").load().id == "acme"
    assert "not valid YAML" in str(registry.get("broken").broken)
    assert len([info for info in registry if info.origin == "the project"]) == 2


def test_every_built_in_connector_is_listed_and_can_be_loaded():
    registry = load_registry(plugins=())
    assert [(info.id, str(info.broken)) for info in registry if info.broken] == []
    assert registry.verify() == []


def test_every_built_in_stands_in_a_folder_of_its_own_id():
    built_in = [info for info in load_registry(plugins=[]) if info.origin == "kehu"]
    assert len(built_in) > 5
    assert [info.id for info in built_in if info.folder.name != info.id] == []


def test_a_connector_looked_up_by_itself_is_the_one_of_the_whole_registry(tmp_path: Path):
    (tmp_path / "own.yaml").write_text(OWN)
    whole = load_registry([tmp_path])
    for name in ("own", "files", "directus"):
        found = find_connector(name, [tmp_path])
        assert (found.id, found.origin, found.manifest) == (name, whole.get(name).origin, whole.get(name).manifest)


def test_a_built_in_is_not_replaced_by_a_manifest_of_the_project(tmp_path: Path):
    (tmp_path / "other.yaml").write_text(OWN.replace("id: own", "id: files"))
    assert find_connector("files", [tmp_path]).origin == "kehu"


def test_an_unknown_connector_is_refused_with_the_nearest_of_all(tmp_path: Path):
    with pytest.raises(BadConfiguration, match="Did you mean directus"):
        find_connector("directuss", [tmp_path])
    with pytest.raises(BadConfiguration, match="There is no connector"):
        find_connector("../files", [tmp_path])
