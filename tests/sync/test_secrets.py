"""Secrets: resolved from the environment, files and the keyring; never told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backend import KeyringBackend

from connectors.errors import BadConfiguration
from sync.secrets import Secrets, read_env_file, references


def test_references_are_replaced_at_any_depth(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path, {"HOST": "erp", "PASSWORD": "hunter2"})
    value = {"url": "https://${HOST}/api", "auth": [{"password": "${PASSWORD}"}], "port": 1}
    assert secrets.resolve(value, where="x") == {
        "url": "https://erp/api",
        "auth": [{"password": "hunter2"}],
        "port": 1,
    }


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB='quoted # not a comment'\nexport C=plain # comment\n# D=no\n\n=x\n")
    secrets = Secrets(tmp_path, {"A": "environment"})
    assert [secrets.lookup(name) for name in "ABCD"] == ["environment", "quoted # not a comment", "plain", None]


def test_a_default_and_an_escape(tmp_path: Path) -> None:
    assert Secrets(tmp_path, {}).resolve("${PORT:-80} $${PORT} $$", where="x") == "80 ${PORT} $"


def test_a_missing_variable_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration) as caught:
        Secrets(tmp_path, {}).resolve({"auth": {"token": "${NOPE}"}}, where="kehu.yaml, line 3", key="settings")
    assert str(caught.value) == (
        "kehu.yaml, line 3: settings.auth.token needs the environment variable NOPE, which is not set."
    )


def test_a_file_holds_a_secret_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    assert Secrets(tmp_path, {}).resolve("file:token", where="x") == "abc"
    assert Secrets(tmp_path, {}).resolve("file:///not/a/reference", where="x") == "file:///not/a/reference"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * 100_000, None])
def test_a_file_that_cannot_be_a_secret_is_refused_without_its_content(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(BadConfiguration) as caught:
        Secrets(tmp_path, {}).resolve("file:token", where="x", key="k")
    assert "xxxx" not in str(caught.value)


class OneEntry(KeyringBackend):
    """A keyring with one entry."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return "s3cret" if (service, username) == ("kehu", "erp") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


def test_the_keyring_is_asked_and_a_missing_entry_named(tmp_path: Path) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(OneEntry())
    try:
        secrets = Secrets(tmp_path, {})
        assert secrets.resolve("keyring:kehu/erp", where="x") == "s3cret"
        with pytest.raises(BadConfiguration, match="no entry kehu/shop"):
            secrets.resolve("keyring:kehu/shop", where="x", key="k")
    finally:
        keyring.set_keyring(before)


def test_references_name_the_variables_without_a_default() -> None:
    assert references({"a": "${X} ${Y:-1}", "b": ["$${Z}", 1, {"c": "${W}"}]}) == {"X", "W"}


@given(st.text(max_size=200))
def test_any_text_resolves_or_is_refused(text: str) -> None:
    with suppress(BadConfiguration):
        assert isinstance(Secrets(Path("/nonexistent"), {}).resolve(text, where="x", key="k"), str)


@given(st.binary(max_size=500))
def test_any_env_file_is_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("env") / ".env"
    path.write_bytes(content)
    assert all(isinstance(value, str) for value in read_env_file(path).values())
