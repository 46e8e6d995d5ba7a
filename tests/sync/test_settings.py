"""kehu.yaml: what it may hold, and how its faults are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.errors import BadConfiguration
from sync.errors import ConfigurationFaults
from sync.settings import (
    ConnectionSettings,
    DeletesSettings,
    RateSettings,
    Section,
    Settings,
    StreamSettings,
    find_settings,
    load_settings,
)


def write(folder: Path, text: str) -> Path:
    path = folder / "kehu.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadConfiguration) as caught:
        load_settings(write(folder, text))
    error = caught.value
    return [str(fault) for fault in error.faults] if isinstance(error, ConfigurationFaults) else [str(error)]


def test_a_file_with_one_connection_is_enough(tmp_path: Path) -> None:
    settings, _ = load_settings(write(tmp_path, "connections:\n  erp:\n    connector: tryton\n"))
    assert settings.connections["erp"].connector == "tryton"
    assert settings.connections["erp"].every == 900
    assert settings.web.host == "127.0.0.1"
    assert settings.database is None


def test_an_empty_section_is_an_empty_one(tmp_path: Path) -> None:
    settings, _ = load_settings(write(tmp_path, "connections:\nlanguage: zh\n"))
    assert settings.connections == {}


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    told = faults(
        tmp_path,
        "databse: x\nconnections:\n  erp:\n    connector: files\n    streams:\n      a: {every: 5x}\n  b: {}\n",
    )
    assert told == [
        told[0],
        "kehu.yaml, line 6: connections.erp.streams.a.every is not right: "
        "a duration is written like 30s, 5m, 1h, 2d or never.",
        "kehu.yaml, line 7: the setting connections.b.connector is missing.",
    ]
    assert told[0].startswith("kehu.yaml, line 1: unknown setting databse. Did you mean database? Allowed: ")


def test_a_wrong_choice_names_what_is_allowed_and_the_nearest(tmp_path: Path) -> None:
    (told,) = faults(tmp_path, "attributes:\n  size: {type: integr}\n")
    assert told.startswith("kehu.yaml, line 2: attributes.size.type cannot be integr. Allowed: text, integer, ")
    assert told.endswith("Nearest: integer.")


def test_a_misspelt_key_deep_inside_names_its_nearest_spelling(tmp_path: Path) -> None:
    (told,) = faults(tmp_path, "connections:\n  a:\n    connector: files\n    streams:\n      s: {priorty: 1}\n")
    assert "line 5: unknown setting connections.a.streams.s.priorty. Did you mean priority?" in told


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    (told,) = faults(tmp_path, "language: en\nlanguage: zh\n")
    assert told == "kehu.yaml, line 2: the key language is written twice."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("# 客户\nregion: CN\n".encode("gbk"), "kehu.yaml, line 1: this is not UTF-8 text."),
        ("region: CN\n# 客户\n".encode("gbk"), "kehu.yaml, line 2: this is not UTF-8 text."),
        (b"web:\n\tport: 1\n", "kehu.yaml, line 2: a tab stands where YAML allows spaces only."),
    ],
)
def test_what_editors_save_wrongly_is_told_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "kehu.yaml").write_bytes(content)
    with pytest.raises(BadConfiguration) as caught:
        load_settings(tmp_path / "kehu.yaml")
    assert str(caught.value) == told


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_with_a_byte_order_mark_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "kehu.yaml").write_text("region: CN  # 中国\n", encoding=encoding)
    assert load_settings(tmp_path / "kehu.yaml")[0].region == "CN"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("region: UK", "region is not right: the United Kingdom is written GB."),
        ("broker: http://x", "broker is not right: a broker is written like redis://host:6379/0."),
    ],
)
def test_likely_slips_are_told_with_how_it_is_written(tmp_path: Path, line: str, told: str) -> None:
    assert faults(tmp_path, line + "\n") == [f"kehu.yaml, line 1: {told}"]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\n" + "".join(f"c{i}: [*b, *b, *b, *b, *b]\n" for i in range(2000)),
        "a: !!python/object/apply:os.system ['true']\n",
        "a: " + "[" * 5000,
        "x" * 2_000_000,
        "- 1\n",
        "a: \x00b\n",
        "",
    ],
    ids=["aliases", "tag", "depth", "size", "list", "nul", "empty"],
)
def test_hostile_or_senseless_files_are_refused_and_nothing_worse(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadConfiguration):
        load_settings(write(tmp_path, text))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        load_settings(tmp_path / "missing.yaml")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.10", "::", "example.com"])
def test_the_dashboard_binds_to_this_machine_only(tmp_path: Path, host: str) -> None:
    (told,) = faults(tmp_path, f"web: {{host: '{host}'}}\n")
    assert "this machine only" in told


def test_norway_is_a_country(tmp_path: Path) -> None:
    settings, _ = load_settings(write(tmp_path, "region: NO\n"))
    assert settings.region == "NO"


def test_a_name_that_yaml_takes_for_something_else_wants_quotes(tmp_path: Path) -> None:
    (told,) = faults(tmp_path, "connections:\n  off: {connector: files}\n")
    assert "YAML reads the name False as something else than text; put it into quotes." in told
    settings, _ = load_settings(write(tmp_path, "connections:\n  'off': {connector: files}\n"))
    assert list(settings.connections) == ["off"]


def test_a_time_zone_must_exist(tmp_path: Path) -> None:
    (told,) = faults(tmp_path, "time_zone: Asia/Shangai\n")
    assert "a time zone is written like Asia/Shanghai" in told


def test_a_streams_own_schedule_and_priority_win_over_the_connections() -> None:
    connection = Settings.model_validate(
        {
            "connections": {
                "a": {
                    "connector": "files",
                    "every": "1h",
                    "priority": 5,
                    "streams": {"fast": {"every": "30s", "priority": 1}, "never": {"every": "never"}, "plain": None},
                }
            }
        }
    ).connections["a"]
    assert [connection.every_of(name) for name in ("fast", "never", "plain", "unknown")] == [30, None, 3600, 3600]
    assert [connection.priority_of(name) for name in ("fast", "plain")] == [1, 5]


def test_settings_are_found_in_a_folder_above(tmp_path: Path) -> None:
    path = write(tmp_path, "language: en\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_settings(inner) == path
    assert find_settings(path) == path


@pytest.mark.parametrize("section", [Settings, ConnectionSettings, StreamSettings, DeletesSettings, RateSettings])
def test_every_setting_stands_on_the_page_of_the_configuration(section: type[Section]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    absent = {key for key in section.model_fields if f"`{key}`" not in page and not re.search(rf"[ {{]{key}:", page)}
    assert absent == set()
