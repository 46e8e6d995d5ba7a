"""Mapping files: what is wrong is said with file, line, key, what is allowed and the nearest valid spelling."""

from pathlib import Path

import pytest

from mappings.compile import MappingDefaults, compile_mapping
from mappings.errors import SpecError
from mappings.spec import load_spec, nearest

GOOD = "customer:\n  kind: person\n  name: n\n"


def refused(text: str, **options: object) -> SpecError:
    with pytest.raises(SpecError) as caught:
        compile_mapping(
            load_spec(text, name="shop.yaml", **options), defaults=MappingDefaults(attributes={"tier": "text"})
        )  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            "customer:\n  kind: person\n  nmae: x\n",
            3,
            ["customer.nmae", "did you mean “name”", "Allowed:", "legal_name"],
        ),
        ("custmer: {kind: person}\n", 1, ["custmer", "did you mean “customer”"]),
        (GOOD + "  emails:\n    - {from: e, lable: x}\n", 5, ["customer.emails.0.lable", "did you mean “label”"]),
        (GOOD + "  addresses: [{contry: x}]\n", 4, ["did you mean “country”"]),
        (GOOD + "  status: {from: s, jsonata: t}\n", 4, ["exactly one of: from, jsonata, const, concat, first"]),
        (GOOD + "  owner: {from: s, on_error: ignore}\n", 4, ["'reject', 'drop' or 'keep_raw'"]),
        (GOOD + "  owner: {from: s, do: [uper]}\n", 4, ["no transform “uper”", "did you mean “upper”", "Known:"]),
        (GOOD + "  owner: {from: s, do: [cut: {lenght: 3}]}\n", 4, ["cut has no parameter “lenght”", "length"]),
        (GOOD + "  owner: {from: s, do: [cut: many]}\n", 4, ["cut, length", "valid integer"]),
        (GOOD + "  owner: {from: s, do: [upper: 3]}\n", 4, ["upper takes no parameter"]),
        (GOOD + "  owner: {from: s, do: [cut]}\n", 4, ["cut, length: Missing required argument"]),
        (GOOD + "  owner: {from: s, do: [regex: '(?=a)']}\n", 4, ["regex", "invalid perl operator"]),
        (GOOD + "  owner: {from: s, do: [regex: {pattern: a, group: 2}]}\n", 4, ["no group 2"]),
        (GOOD + "  owner: {from: s, do: [regex: {pattern: a, replace: '\\2'}]}\n", 4, ["no group 2"]),
        (GOOD + "  birth_date: {from: s, do: [date: '%Q']}\n", 4, ["date format “%Q”"]),
        (GOOD + "  birth_date: {from: s, do: [date: {zone: Mars}]}\n", 4, ["unknown time zone Mars"]),
        (GOOD + "  status: {from: s, table: sates}\n", 4, ["no table “sates”"]),
        (GOOD + "  status: {from: s, do: [lookup: sates]}\n", 4, ["no table “sates”"]),
        (GOOD + "  status: {const: activ}\n", 4, ["“activ”", "active"]),
        (GOOD + "  credit_limit: {from: s, on_error: keep_raw}\n", 4, ["keep_raw is for text fields"]),
        (GOOD + "  owner: 'a[1'\n", 4, ["the bracket [ is not closed"]),
        (GOOD + "  owner: a..b\n", 4, ["a name is missing"]),
        (GOOD + '  owner: "=\'a"\n', 4, ["expression cannot be read"]),
        (GOOD + "  owner: '=$eval(x)'\n", 4, ["$eval is not allowed"]),
        (GOOD + "  when: {field: a, equals: 1, in: [2]}\n", 4, ["at most one of: equals, in, exists, matches"]),
        (GOOD + "  when: {equals: 1}\n", 4, ["exactly one of: field, jsonata, not, all, any"]),
        (GOOD + "  when: {field: a, matches: '('}\n", 4, ["pattern cannot be read"]),
        (GOOD + "  attributes: {teir: x}\n", 4, ["not declared", "did you mean “tier”", "Declared: tier"]),
        (GOOD + "  identifiers: {scheme: Tax No, from: x}\n", 4, ["“Tax No” is no scheme"]),
        (GOOD + "  each: a\n", 1, ["`each` needs `part`"]),
        (GOOD + "timezone: Mars/Base\n", 4, ["time zone “Mars/Base” is not known"]),
        (
            "customers: [{kind: person, part: a}, {kind: person, part: a}]\n",
            1,
            ["two customers have the same `part`: a"],
        ),
        ("customers: []\ncustomer: {kind: person}\n", 1, ["not both"]),
        ("customer:\n  kind: person\n  kind: person\n", 3, ["“kind” stands twice"]),
        ("customer:\n  - [\n", 3, ["not YAML"]),
        ("- a\n", 1, ["a mapping file holds keys"]),
        ("", 1, ["empty"]),
    ],
)
def test_a_wrong_file_is_refused_with_line_key_and_remedy(text: str, line: int, words: list[str]) -> None:
    error = refused(text)
    assert "shop.yaml" in str(error)
    for word in words:
        assert word in str(error)
    assert error.params["line"] == line
    assert error.remedy


def test_aliases_cannot_blow_a_file_up() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
    )
    assert "too large" in str(refused(bomb))


def test_a_deep_file_is_refused_not_crashed() -> None:
    assert refused("a: " + "[" * 3_000 + "]" * 3_000)


def test_words_that_yaml_would_change_stay_text() -> None:
    spec = load_spec("tables: {t: {no: 007, on: 12:30, 3: 2024-01-01, x: true, y: 1.5, z: null}}\n" + GOOD)
    assert spec.tables["t"] == {"no": "007", "on": "12:30", "3": "2024-01-01", "x": True, "y": 1.5, "z": None}


@pytest.mark.parametrize(("word", "expected"), [("lable", "label"), ("nam", "name"), ("qqq", None)])
def test_the_nearest_spelling_prefers_swapped_letters(word: str, expected: str | None) -> None:
    assert nearest(word, ["table", "label", "name"]) == expected


DEFAULT = """
tables: {s: {A: active}}
customers:
  - kind: organisation
    name: name
    website: web
    emails: email
    attributes: {tier: level}
    status: {from: state, table: s}
  - part: contact
    each: contacts
    key: id
    kind: person
    name: n
"""


def test_an_override_replaces_removes_appends_and_merges() -> None:
    override = """
extends: default
tables: {s: {B: inactive}}
customers:
  - name: display_name
    website: null
    emails+: email2
    attributes: {size: x_size}
  - part: contact
    phones: tel
  - part: owner
    kind: person
    name: owner_name
"""
    spec = load_spec(override, default=DEFAULT)
    main, contact, owner = spec.customers
    assert main.name is not None
    assert main.name.path == "display_name"
    assert main.website is None
    assert [email.path for email in main.emails] == ["email", "email2"]
    assert set(main.attributes) == {"tier", "size"}
    assert spec.tables == {"s": {"B": "inactive"}}
    assert (contact.each, contact.phones[0].path) == ("contacts", "tel")
    assert (owner.part, len(spec.customers)) == ("owner", 3)


def test_an_override_may_use_the_short_form_customer() -> None:
    spec = load_spec("extends: default\ncustomer: {name: other}\n", default=DEFAULT)
    assert spec.customers[0].name is not None
    assert spec.customers[0].name.path == "other"
    assert len(spec.customers) == 2


def test_an_error_in_the_override_names_the_override_and_one_in_the_default_the_default(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped.yaml"
    shipped.write_text(DEFAULT.replace("website: web", "webiste: web"), "utf-8")
    assert "default mapping" not in str(refused("extends: default\ncustomer:\n  nmae: x\n", default=DEFAULT))
    assert "shipped.yaml, line 6" in str(refused("extends: default\n", default=shipped))


def test_extends_needs_a_default_and_knows_no_other_word() -> None:
    assert "no default mapping" in str(refused("extends: default\n"))
    assert "only `default`" in str(refused("extends: ../../etc/passwd\n", default=DEFAULT))


def test_a_table_is_read_from_the_csv_beside_the_mapping(tmp_path: Path) -> None:
    (tmp_path / "countries.csv").write_text("﻿名称,iso,x\n德国,DE,1\n 法国 , FR ,2\n\n", "utf-8")
    file = tmp_path / "m.yaml"
    file.write_text("tables: {c: {csv: countries.csv, key: 名称, value: iso}}\n" + GOOD, "utf-8")
    assert load_spec(file).tables["c"] == {"德国": "DE", "法国": "FR"}


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ("../x.csv", "must stand beside"),
        ("/etc/passwd", "must stand beside"),
        ("none.csv", "cannot be read"),
        ("link.csv", "cannot be read"),
        ("t.csv, key: no", "no column no; it has a, b"),
        ("t.csv, colour: no", "colour"),
    ],
)
def test_tables_outside_the_folder_or_without_the_column_are_refused(tmp_path: Path, csv: str, words: str) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    (folder / "t.csv").write_text("a,b\n1,2\n")
    (folder / "link.csv").symlink_to(tmp_path / "x.csv")
    file = folder / "m.yaml"
    file.write_text(f"tables: {{c: {{csv: {csv}}}}}\n" + GOOD)
    with pytest.raises(SpecError, match=words):
        load_spec(file)


def test_a_missing_or_binary_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        load_spec(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="not UTF-8"):
        load_spec(tmp_path / "b.yaml")
