"""``kehu user``, ``key``, ``secret`` and ``audit`` as they are typed."""

from __future__ import annotations

import io
import re
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from sync import audit
from sync.cli import Exit, run
from sync.database import Database
from sync.identity import links


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kehu.yaml").write_text("language: en\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    audit.act_as(audit.SYSTEM)


def done(capsys: pytest.CaptureFixture[str], *words: str, code: int = Exit.OK) -> str:
    assert run(list(words)) == code, capsys.readouterr()
    shown = capsys.readouterr()
    return shown.out if code == Exit.OK else shown.err


def database(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / '.kehu' / 'kehu.db'}")


def test_a_user_is_made_and_shut_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = done(capsys, "user", "add", "Anna", "--role", "steward").strip()
    assert link.startswith("http://127.0.0.1:8600/set-password?token=")
    with database(folder).reading() as connection:
        assert links.whose(connection, link.partition("=")[2]) == "anna"
    assert "anna\tsteward\tno password yet" in done(capsys, "user", "list")
    done(capsys, "user", "role", "anna", "viewer")
    done(capsys, "user", "disable", "anna")
    assert orjson.loads(done(capsys, "user", "list", "--json"))["data"][0]["disabled_at"]
    done(capsys, "user", "enable", "anna")
    assert done(capsys, "user", "reset", "anna").strip() != link


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("user", "add", "anna", "--role", "boss"), "There is no role boss"),
        (("user", "add", "a b"), "cannot be the name of a user"),
        (("user", "reset", "nobody"), "There is no user nobody"),
        (("key", "create", "shop", "--scope", "everything"), "There is no scope everything"),
        (("key", "create", "shop", "--user", "nobody"), "There is no user nobody"),
        (("key", "revoke", "nothing"), "There is no API key nothing"),
        (("secret", "remove", "nothing"), "There is no secret nothing"),
        (("audit", "verify", "--head", "x"), "is not the head of an audit log"),
    ],
)
def test_likely_mistakes_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert told in done(capsys, *words, code=Exit.USAGE)


def test_a_key_is_shown_once_and_revoked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = done(capsys, "key", "create", "web shop", "--scope", "customers:read").strip()
    found = re.fullmatch(r"kehu_([a-z2-7]{12})_[\w-]{43}", secret)
    assert found
    listed = done(capsys, "key", "list")
    assert found[1] in listed
    assert secret not in listed
    done(capsys, "key", "revoke", found[1])
    assert "revoked" in done(capsys, "key", "list")
    assert "customers:read\t" in done(capsys, "key", "scopes")


def test_a_secret_is_stored_from_standard_input_and_shown_nowhere(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("canary-4711\n"))
    done(capsys, "secret", "set", "erp")
    shown = done(capsys, "secret", "list") + done(capsys, "secret", "rotate") + done(capsys, "audit", "list")
    assert "erp" in shown
    assert "canary" not in shown
    for path in (folder / ".kehu").iterdir():
        assert not path.is_file() or b"canary-4711" not in path.read_bytes(), path.name
    done(capsys, "secret", "remove", "erp")


def test_a_touched_log_is_told_entry_by_entry(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("anna", "berta"):
        done(capsys, "user", "add", name)
    head = done(capsys, "audit", "head").strip()
    done(capsys, "audit", "verify", "--head", head)
    assert "cli:" in done(capsys, "audit", "list")
    with database(folder).transaction() as connection:
        connection.execute(text("DROP TRIGGER audit_entry_no_delete"))
        connection.execute(text("DELETE FROM audit_entry WHERE seq = 2"))
    assert "Entry 2: the entry is missing." in done(capsys, "audit", "verify", code=Exit.FAULT)
