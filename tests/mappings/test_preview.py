"""Trying mappings out: previews, differences, warnings."""

from mappings.compile import MappingDefaults, compile_mapping
from mappings.preview import Change, check, diff, preview
from mappings.spec import load_spec

TEXT = """
customers:
  - {kind: organisation, name: n, credit_limit: c, emails: m, source_changed_at: t}
  - {part: contact, each: cs, key: id, kind: person, name: n}
"""
RECORDS = [
    {"n": "甲", "c": "5", "cs": [{"id": 1, "n": "a"}]},
    {"n": "乙", "c": "much"},
    {"n": "丙", "m": "nonsense"},
]


def test_a_preview_shows_customers_errors_and_what_was_left_out() -> None:
    good, bad, noted = preview(compile_mapping(load_spec(TEXT)), RECORDS)
    assert [mapped.part for mapped in good.mapped] == ["", "contact:1"]
    assert (good.error, good.source) == (None, RECORDS[0])
    assert bad.mapped == ()
    assert bad.error is not None
    assert bad.error.path == "c"
    assert [note.path for note in noted.notes] == ["m"]


def test_a_difference_tells_the_fields_parts_and_errors_that_change() -> None:
    before = compile_mapping(load_spec(TEXT))
    after = compile_mapping(
        load_spec(
            TEXT.replace("credit_limit: c", "credit_limit: {from: c, on_error: drop}").replace("key: id", "key: n")
        )
    )
    first, second = diff(before, after, RECORDS)
    assert first.changes == (
        Change("contact:1", "", {"kind": "person", "name": "a", "organisation": {"source_id": "#"}}, None),
        Change("contact:a", "", None, {"kind": "person", "name": "a", "organisation": {"source_id": "#"}}),
    )
    assert second.position == 1
    assert second.error_before is not None
    assert second.error_after is None
    assert second.changes[0].before is None


def test_a_field_that_changes_is_named_with_both_values() -> None:
    before, after = (compile_mapping(load_spec(f"customer: {{kind: person, name: {name}}}")) for name in "ab")
    (changed,) = diff(before, after, [{"a": "x", "b": "y"}, {"a": "same", "b": "same"}])
    assert changed.changes == (Change("", "name", "x", "y"),)


def test_checking_finds_what_is_allowed_but_seldom_meant() -> None:
    text = """
tables: {used: {a: active}, looked: {a: b}, spare: {a: b}}
customer:
  kind: organisation
  status: {from: s, table: used}
  tags: {from: t, do: [lookup: looked]}
  credit_limit: c
  emails: [m, m, {from: m, when: x}]
"""
    checked = check(text)
    assert checked.error is None
    assert [str(doubt) for doubt in checked.doubts] == [
        "The table spare is not used.",
        "The customer has no name (part: -).",
        "source_changed_at is not set: “most recent” cannot be decided for this source.",
        "The customer has a credit_limit without a currency (part: -).",
        "m is read twice by emails (part: -).",
    ]


def test_checking_answers_the_error_of_a_wrong_file() -> None:
    checked = check("customer: {kind: person, attributes: {a: b}}", defaults=MappingDefaults())
    assert checked.mapper is None
    assert "not declared" in str(checked.error)
