"""The guard for statements: one SELECT, nothing that writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sql.statements import require_select


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "  select * from t;  ",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT ';', 'DELETE FROM t' FROM t -- DROP TABLE t\n",
        'SELECT "update", `set`, [insert] FROM t',
        "SELECT /* ; DROP TABLE t */ replace(a, 'x', 'y'), $$; drop$$ FROM t",
        "SELECT created_at, updated_at, offset_days FROM t",
        "SELECT 'it''s; fine'",
    ],
)
def test_a_select_is_accepted(statement: str) -> None:
    assert require_select(statement) == statement.strip().rstrip(";").rstrip()


@pytest.mark.parametrize(
    "statement",
    [
        "",
        ";",
        "DELETE FROM t",
        "SELECT 1; DELETE FROM t",
        "SELECT 1; SELECT 2",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "SELECT * INTO copy FROM t",
        "SELECT * FROM t FOR UPDATE",
        "EXPLAIN SELECT 1",
        "PRAGMA writable_schema = 1",
        "SELECT 'open",
        "SELECT /* open",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT 1 \0",
        "/**/ DROP TABLE t",
        "SELECT 1 -- \n; DROP TABLE t",
        "SELECT $a$ x $b$; DROP TABLE t; $$",
    ],
)
def test_anything_else_is_refused(statement: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        require_select(statement)


@given(st.text("SELCTDOP ;'\"-/*$[]`\n1", max_size=40))
def test_no_text_crashes_the_guard_or_hides_a_second_statement(text: str) -> None:
    try:
        accepted = require_select("SELECT 1 " + text + "; DELETE FROM t")
    except ValueError:
        return
    plain = accepted.replace("; DELETE FROM t", "")
    assert plain != accepted
    assert any(sign in text for sign in ("'", '"', "--", "/*", "$", "[", "`"))
