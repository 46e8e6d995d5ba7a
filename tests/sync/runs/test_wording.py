"""Texts in the database: whoever reads them reads their own language, also what stands in their places."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from connectors.documents import Document
from sync import language
from sync.faults import line_of
from sync.language import Phrase
from sync.runs.wording import packed, storable, unpacked


def test_a_place_that_is_a_text_of_the_program_is_translated_after_storing() -> None:
    where = line_of(Document(Path("kehu.yaml"), {}), ())
    stored = packed("{where}: {key} needs the environment variable {name}, which is not set.", {"where": where})
    wording = unpacked(stored)
    assert wording is not None
    assert str(wording).startswith("kehu.yaml, line 1: ")
    assert language.text(wording.template, wording.params, "zh").startswith("kehu.yaml 第 1 行：")


def test_a_phrase_in_a_phrase_comes_back_whole() -> None:
    inner = Phrase("{file}, line {line}", file="a.yaml", line=7)
    wording = unpacked(packed("{reason}", {"reason": Phrase("at {where}", where=inner)}))
    assert wording is not None
    assert wording.params["reason"] == "at a.yaml, line 7"
    assert wording.params["reason"].params["where"].params == {"file": "a.yaml", "line": 7}


@given(st.dictionaries(st.text(max_size=20), st.none() | st.booleans() | st.integers(-9, 9) | st.text()))
def test_anything_else_comes_back_as_it_can_be_stored(params: dict[str, object]) -> None:
    wording = unpacked(packed("x", params))
    assert wording is not None
    assert wording.params == {
        name: storable(value) if isinstance(value, str) else value for name, value in params.items()
    }
