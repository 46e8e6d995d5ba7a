"""The quality scale: what is missing is as visible as what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from connectors.contract import Connector
from connectors.errors import BadConfiguration
from connectors.quality import RULES, Grade, Said, Status, load_quality
from connectors.registry import BUILT_IN_FOLDER, ConnectorInfo, load_registry


def scale(folder: Path, lines: dict[str, str]):
    folder.joinpath("quality.yaml").write_text("rules:\n" + "".join(f"  {k}: {v}\n" for k, v in lines.items()))
    return load_quality(folder)


def rules(*levels: Grade) -> dict[str, str]:
    return {rule: "done" for level in levels for rule in RULES[level]}


def test_without_a_file_there_is_no_scale(tmp_path):
    assert load_quality(tmp_path) is None


@pytest.mark.parametrize(
    ("levels", "grade"),
    [
        ([], Grade.NONE),
        ([Grade.BRONZE], Grade.BRONZE),
        ([Grade.BRONZE, Grade.SILVER], Grade.SILVER),
        ([Grade.BRONZE, Grade.SILVER, Grade.GOLD], Grade.GOLD),
        ([Grade.SILVER, Grade.GOLD], Grade.NONE),
    ],
)
def test_a_grade_needs_all_rules_of_its_level_and_below(tmp_path, levels, grade):
    assert scale(tmp_path, {"readme": "todo"} | rules(*levels)).grade is grade


def test_exempt_counts_and_keeps_its_reason(tmp_path):
    quality = scale(tmp_path, rules(Grade.BRONZE) | {"check": "{exempt: a folder needs no login}"})
    assert quality.grade is Grade.BRONZE
    (verdict,) = [v for v in quality.verdicts if v.rule == "check"]
    assert (verdict.status, verdict.reason.en) == (Status.EXEMPT, "a folder needs no login")


def test_what_is_open_is_listed_with_its_reason(tmp_path):
    quality = scale(tmp_path, rules(Grade.BRONZE) | {"resume": "{todo: needs an account to test}"})
    assert quality.open()[0].level is Grade.SILVER
    assert ("resume", "needs an account to test") in {(v.rule, v.reason.en) for v in quality.open()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"chekc": "done"}, "nearest: check"),
        ({"check": "exempt"}, "check must be done, todo"),
        ({"check": "{exempt: no}"}, "check must be done, todo"),
        ({"check": "{todo: a read of 100,000 records}"}, "in quotes if it holds a comma"),
        ({"check": "maybe"}, "check must be done, todo"),
    ],
)
def test_a_wrong_scale_says_what_is_wrong(tmp_path, line, expected):
    with pytest.raises(BadConfiguration) as caught:
        scale(tmp_path, line)
    assert expected in "\n".join([str(caught.value), *map(str, caught.value.also)])


def test_what_could_not_be_verified_is_told(tmp_path):
    (tmp_path / "quality.yaml").write_text("rules: {check: done}\nunverified: [the code of an expired token]\n")
    assert load_quality(tmp_path).unverified == (Said("the code of an expired token"),)


def test_what_is_told_in_both_languages_is_shown_in_the_readers(tmp_path):
    (tmp_path / "quality.yaml").write_text(
        "rules: {write_back: {exempt: {en: only read here, zh: 只读}}}\nunverified: [{en: the quota, zh: 配额}]\n",
        encoding="utf-8",
    )
    quality = load_quality(tmp_path)
    (verdict,) = [verdict for verdict in quality.verdicts if verdict.rule == "write_back"]
    assert (verdict.reason.to("zh-CN"), verdict.reason.to("en"), verdict.reason.to("fr")) == (
        "只读",
        "only read here",
        "only read here",
    )
    assert quality.unverified[0].to("zh") == "配额"
    assert Said("only English").to("zh") == "only English"


@pytest.mark.parametrize("note", ["{zh: 配额}", "{en: the quota, fr: le quota}", "5", "[a]", "abc"])
def test_a_note_that_is_no_text_is_refused(tmp_path, note):
    (tmp_path / "quality.yaml").write_text(f"rules: {{}}\nunverified: [{note}]\n", encoding="utf-8")
    with pytest.raises(BadConfiguration):
        load_quality(tmp_path)


BUILT_IN = [info for info in load_registry(plugins=()) if info.origin == "kehu"]
SIMULATED = "tested against a simulator"
each = pytest.mark.parametrize("info", BUILT_IN, ids=lambda info: info.id)


@each
def test_every_connector_is_at_least_silver(info: ConnectorInfo) -> None:
    assert info.broken is None
    assert info.grade in (Grade.SILVER, Grade.GOLD), [verdict.rule for verdict in info.quality.open()]


@each
def test_every_rule_is_judged_and_whatever_is_open_says_why(info: ConnectorInfo) -> None:
    given = yaml.safe_load((info.folder / "quality.yaml").read_text(encoding="utf-8"))["rules"]
    assert list(given) == [rule for rules in RULES.values() for rule in rules]
    for verdict in info.quality.verdicts:
        assert verdict.status is Status.DONE or verdict.reason.zh, verdict.rule
    assert all(point.zh for point in info.quality.unverified)


@each
def test_rules_that_can_be_seen_from_outside_are_true(info: ConnectorInfo) -> None:
    status = {verdict.rule: verdict.status for verdict in info.quality.verdicts}
    fields = info.config_model.model_fields
    described = getattr(info.manifest, "config", {})
    for name, setting in fields.items():
        assert setting.description or name in described, f"{name} has no help text"
        if re.search(r"secret|password|token$|api_key", name) and setting.annotation is not bool:
            assert "Secret" in str(setting.annotation), f"{name} is no secret"
    mapped = [note.mapping for note in info.streams.values() if note.mapping]
    assert (status["default_mapping"] is Status.DONE) == bool(mapped)
    assert set(mapped) <= set(info.mappings)
    code = "".join(path.read_text(encoding="utf-8") for path in info.folder.glob("*.py"))
    budgeted = info.rate is not None or "connectors.http" in code  # its client takes every call from the budget
    assert (status["rate_budget"] is Status.DONE) <= budgeted


@each
def test_the_readme_tells_credentials_what_is_synced_limits_and_removal(info: ConnectorInfo) -> None:
    text = info.docs.read_text(encoding="utf-8").casefold()
    for wanted in ("credentials", "synced", "limits", "remov"):
        assert wanted in text, wanted


@each
def test_what_was_only_simulated_says_so_and_what_stays_unverified(info: ConnectorInfo) -> None:
    (real,) = [verdict for verdict in info.quality.verdicts if verdict.rule == "real_system"]
    if real.status is not Status.DONE:
        assert SIMULATED in real.reason.en
        assert info.quality.unverified, "a wire that was never seen has something unverified"


@each
def test_webhooks_and_writing_are_claimed_only_where_there_is_code_for_them(info: ConnectorInfo) -> None:
    kind = info.load()
    status = {verdict.rule: verdict.status for verdict in info.quality.verdicts}
    if info.manifest.connector is not None:
        assert (status["webhooks"] is Status.DONE) <= (kind.verify is not Connector.verify)
        assert (status["write_back"] is Status.DONE) <= (kind.write is not Connector.write)
    else:
        assert (status["webhooks"] is Status.DONE) == (info.manifest.webhook is not None)
        assert (status["write_back"] is Status.DONE) == any(s.write for s in info.manifest.streams.values())


def test_every_folder_of_a_connector_has_its_files() -> None:
    for manifest in BUILT_IN_FOLDER.glob("*/manifest.yaml"):
        assert {"README.md", "quality.yaml"} <= {path.name for path in manifest.parent.iterdir()}, manifest.parent.name
