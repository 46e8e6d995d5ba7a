"""Manifests and other YAML documents say precisely what is wrong with them."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.documents import MAX_BYTES, MAX_NODES, load_document, nearest, parse_document
from connectors.errors import BadConfiguration
from connectors.manifest import Manifest, Part, load_manifest
from connectors.quality import RULES
from connectors.rest import RestManifest

GOOD = """\
id: acme
title: {en: Acme, zh: 极致}
kind: crm
connector: acme.plugin:Acme
streams:
  people:
    title: {en: People, zh: 人员}
"""


def manifest_error(tmp_path: Path, text: str) -> str:
    path = tmp_path / "manifest.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfiguration) as caught:
        load_manifest(path)
    return "\n".join([str(caught.value), *map(str, caught.value.also)])


def test_a_good_manifest_is_read(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(GOOD, encoding="utf-8")
    manifest, document = load_manifest(path)
    assert type(manifest) is Manifest
    assert manifest.streams["people"].title.zh == "人员"
    assert document.line(("streams", "people")) == 6


def test_what_was_read_is_kept_until_the_file_is_written_again(tmp_path):
    path = tmp_path / "manifest.yaml"
    path.write_text(GOOD, encoding="utf-8")
    first, _ = load_manifest(path)
    path.write_text(GOOD.replace("Acme", "Acne"), encoding="utf-8")  # of equal size, and a moment later
    assert load_manifest(path)[0].title.en == "Acne"
    for year, name in ((2020, "Acme"), (2021, "Acne")):
        path.write_text(GOOD.replace("Acme", name), encoding="utf-8")
        os.utime(path, (year, year))
        kept, _ = load_manifest(path)
        assert kept.title.en == name
        assert load_manifest(path)[0] is kept
    assert first.title.en == "Acme"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (GOOD.replace("kind: crm", "kind: cmr"), "line 3: kind cannot be cmr"),
        (GOOD.replace("kind: crm", "kind: cmr"), "Nearest: crm"),
        (GOOD.replace("    title:", "    titel:"), "line 7: unknown setting streams.people.titel. Did you mean title?"),
        (GOOD.replace(", zh: 极致", ""), "line 2: the setting title.zh is missing"),
        (GOOD.replace("id: acme", "id: Acme!"), "line 1: id is not right"),
        (GOOD.replace("acme.plugin:Acme", "acme"), "line 4: connector is not right"),
        (GOOD + "id: again\n", "line 8: the key id is written twice"),
        ("- a\n- b\n", "must hold one YAML mapping"),
        ("id: [\n", "not valid YAML"),
        ("id: !!python/object:os.system x\n", "not valid YAML"),
        ("", "must hold one YAML mapping"),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(tmp_path, wrong, expected):
    text = manifest_error(tmp_path, wrong)
    assert expected in text
    assert "manifest.yaml" in text


def test_a_missing_file_is_an_error_of_the_contract(tmp_path):
    with pytest.raises(BadConfiguration, match=r"gone\.yaml cannot be read"):
        load_document(tmp_path / "gone.yaml")


def test_bombs_are_refused(tmp_path):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
    )
    with pytest.raises(BadConfiguration, match=f"more than {MAX_NODES}"):
        parse_document(bomb.encode(), Path("bomb.yaml"))
    with pytest.raises(BadConfiguration):
        parse_document(b"a: " + b"[" * 100_000, Path("deep.yaml"))
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(BadConfiguration, match="larger than"):
        load_document(big)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_crash(data):
    with contextlib.suppress(BadConfiguration):
        parse_document(data, Path("any.yaml"))


DOCS = (Path(__file__).parents[2] / "docs" / "connectors.md").read_text(encoding="utf-8")


def test_the_example_in_the_documentation_is_a_manifest_of_25_lines_at_most(tmp_path):
    example = next(block for block in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL) if block.startswith("id:"))
    path = tmp_path / "acme.yaml"
    path.write_text(example, encoding="utf-8")
    manifest, _ = load_manifest(path)
    assert isinstance(manifest, RestManifest)
    assert len(example.strip().splitlines()) <= 25


def parts(kind: object) -> set[type[Part]]:
    """All models that can stand in a manifest."""
    found = set()
    for inner in get_args(kind) or [kind]:
        if inner is not kind:
            found |= parts(inner)
        elif isinstance(inner, type) and issubclass(inner, Part):
            found.add(inner)
            for field in inner.model_fields.values():
                found |= parts(field.annotation)
    return found


def test_the_documentation_names_every_key_of_the_language():
    prose = re.sub(r"```.*?```", "", DOCS, flags=re.DOTALL)
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", prose))))
    keys = {info.alias or name for part in parts(RestManifest) for name, info in part.model_fields.items()}
    assert len(keys) > 70
    assert keys - named - {"recipe"} == set()


def test_the_documentation_names_every_rule_of_the_quality_scale():
    assert [rule for rules in RULES.values() for rule in rules if f"`{rule}`" not in DOCS] == []


def test_the_nearest_spelling_ignores_case():
    assert nearest("Base_URL", ["base_url", "token"]) == "base_url"
    assert nearest("zzz", ["base_url", "token"]) is None
