"""One-time links."""

from __future__ import annotations

import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sync.access import LINK_SECONDS, Access


def test_a_link_works_once_even_after_a_restart(tmp_path: Path) -> None:
    token = Access(tmp_path).link_token()
    assert Access(tmp_path).use(token)
    assert not Access(tmp_path).use(token)


def test_of_many_at_once_one_gets_in(tmp_path: Path) -> None:
    access = Access(tmp_path)
    token, got_in = access.link_token(), []
    threads = [threading.Thread(target=lambda: got_in.append(access.use(token))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got_in.count(True) == 1


def test_links_end(tmp_path: Path) -> None:
    access = Access(tmp_path)
    assert access.use(access.link_token(now=1000), now=999 + LINK_SECONDS)
    assert not access.use(access.link_token(now=1000), now=1000 + LINK_SECONDS)


def test_another_projects_links_are_worth_nothing_here(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    assert not Access(tmp_path / "a").use(Access(tmp_path / "b").link_token())


def test_the_key_is_private(tmp_path: Path) -> None:
    Access(tmp_path)
    assert (tmp_path / "web.key").stat().st_mode & 0o077 == 0


def test_a_token_with_any_letter_changed_is_refused(tmp_path: Path) -> None:
    access = Access(tmp_path)
    token = access.link_token()
    for index, letter in enumerate(token):
        changed = token[:index] + ("1" if letter != "1" else "2") + token[index + 1 :]
        assert not access.use(changed), index
    assert access.use(token)


@given(st.text(max_size=300))
def test_any_text_is_refused(tmp_path_factory: object, text: str) -> None:
    access = Access(_FOLDER)
    assert not access.use(text)


def _made() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp())


_FOLDER = _made()
