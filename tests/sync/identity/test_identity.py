"""Users, sessions, keys, one-time links and the throttle."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update

from sync import audit, migrations
from sync.database import Database
from sync.errors import Misused, NotFound, Refused
from sync.identity import keys, links, passwords, sessions, signing_in, throttle, users
from sync.identity.errors import Forbidden, NotSignedIn, TooManyAttempts, WeakPassword, WrongCredentials
from sync.identity.permissions import PERMISSIONS, SCOPES, Permission, Role
from sync.identity.signing_in import Visit
from sync.identity.tables import api_key, user_session

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real argon2id, with less work."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=256, parallelism=1))
    passwords._nobody.cache_clear()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    yield from prepared(f"sqlite:///{tmp_path / 'test.db'}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    embedded = f"sqlite:///{tmp_path / 'either.db'}"
    yield from prepared(embedded if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


def prepared(url: str) -> Iterator[Database]:
    made = Database(url)
    migrations.migrate(made)
    with made.transaction() as connection:
        users.add(connection, "Anna", Role.STEWARD, by="test", password=PASSWORD)
    yield made
    made.dispose()


def test_a_password_signs_in_whatever_the_case_of_the_name(either: Database) -> None:
    token = signing_in.by_password(either, " ANNA ", PASSWORD, Visit("127.0.0.1", "test"))
    with either.reading() as connection:
        found = sessions.principal(connection, token)
        assert found is not None
        assert (found.user, found.role, found.actor) == ("anna", Role.STEWARD, "user:anna")
        assert [one.way for one in sessions.alive(connection, found.user_id)] == ["password"]
        stored = connection.execute(text("SELECT password_hash FROM user_account")).scalar_one()
        held = connection.execute(text("SELECT id FROM user_session")).scalar_one()
    assert stored.startswith("$argon2id$")
    assert token.encode() not in bytes(held)


@pytest.mark.parametrize(
    ("name", "password"), [("anna", "wrong"), ("nobody", PASSWORD), ("", ""), ("anna", "x" * 9999)]
)
def test_what_does_not_fit_never_says_which_of_the_two(database: Database, name: str, password: str) -> None:
    with pytest.raises(WrongCredentials, match="Name and password do not fit"):
        signing_in.by_password(database, name, password, Visit())


def test_guessing_is_slowed_down_and_the_right_one_has_to_wait_too(database: Database) -> None:
    with database.transaction() as connection:
        for _ in range(throttle.PER_ACCOUNT.free):
            throttle.charge(connection, "anna", "10.0.0.1")
    with pytest.raises(TooManyAttempts) as caught:
        signing_in.by_password(database, "anna", PASSWORD, Visit("10.0.0.2"))
    assert caught.value.retry_after >= 1
    later = datetime.now(UTC) + timedelta(seconds=5)
    with database.transaction() as connection:
        throttle.charge(connection, "anna", "10.0.0.2", later)
    with pytest.raises(TooManyAttempts), database.transaction() as connection:  # each failure doubles the wait
        throttle.charge(connection, "anna", "10.0.0.2", later + timedelta(seconds=1))


def test_many_guesses_at_once_do_not_slip_through(either: Database) -> None:
    def guess(_: int) -> bool:
        try:
            with either.transaction() as connection:
                throttle.charge(connection, "anna", "10.0.0.1")
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):  # the first guesses of all find nothing to wait for
            assert sum(pool.map(guess, range(16))) == throttle.PER_ACCOUNT.free
            with either.transaction() as connection:
                throttle.clear(connection, "anna", "10.0.0.1")


def test_those_who_guess_and_those_who_know_never_wait_for_each_other_in_a_ring(either: Database) -> None:
    names, addresses = ("anna", "berta"), ("10.0.0.1", "10.0.0.2")

    def visit(number: int) -> None:
        name, address = names[number % 2], addresses[number // 2 % 2]
        with suppress(TooManyAttempts), either.transaction() as connection:
            if number % 3:
                throttle.charge(connection, name, address)
            else:
                throttle.clear(connection, name, address)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(200)))  # a deadlock would raise


def test_one_address_cannot_try_many_accounts(database: Database) -> None:
    with database.transaction() as connection:
        for number in range(throttle.PER_ADDRESS.free):
            throttle.charge(connection, f"user{number}", "10.0.0.1")
        with pytest.raises(TooManyAttempts):
            throttle.charge(connection, "another", "10.0.0.1")
        throttle.charge(connection, "another", "10.0.0.2")


@pytest.mark.parametrize("weak", ["short", "aaaaaaaaaaaa", "anna is my name", "x" * 300])
def test_weak_passwords_are_refused(weak: str) -> None:
    with pytest.raises(WeakPassword):
        passwords.hashed(weak, "anna")


def test_sessions_end_when_they_should(either: Database) -> None:
    def principal(token: str) -> object:
        with either.reading() as connection:
            return sessions.principal(connection, token)

    def signed_in() -> str:
        return signing_in.by_password(either, "anna", PASSWORD, Visit())

    token = signed_in()
    signing_in.sign_out(either, principal(token).session, "user:anna")  # type: ignore[attr-defined]
    assert principal(token) is None
    ends = (
        lambda connection: users.set_role(connection, "anna", Role.VIEWER, by="test"),
        lambda connection: users.set_password(connection, "anna", PASSWORD, by="test"),
        lambda connection: connection.execute(update(user_session).values(expires_at=datetime.now(UTC))),
        lambda connection: users.disable(connection, "anna", by="test"),
    )
    for end in ends:
        token = signed_in()
        with either.transaction() as connection:
            end(connection)
        assert principal(token) is None
    with pytest.raises(WrongCredentials):
        signed_in()


@given(st.text(max_size=300))
def test_no_text_is_a_session_or_a_key(text_: str) -> None:
    assert not sessions.csrf_fits("token", text_)
    assert keys._FORM.fullmatch(text_) is None or len(text_) == 61


def test_a_key_works_within_its_scopes_until_it_is_revoked(either: Database) -> None:
    with either.transaction() as connection:
        made = keys.create(connection, "shop", "anna", ["customers:read"], by="test")
    with either.transaction() as connection:
        found = keys.principal(connection, made.secret)
        assert found is not None
        assert found.permissions == {Permission.CUSTOMERS_READ, Permission.SELF}
        assert found.actor == f"key:{made.key.id}"
        assert keys.use_is_news(connection, made.key.id)
        keys.note_use(connection, made.key.id)
        assert not keys.use_is_news(connection, made.key.id)
        assert keys.principal(connection, made.secret[:-1] + ("A" if made.secret[-1] != "A" else "B")) is None
        stored = str(connection.execute(text("SELECT * FROM api_key")).all())
        assert made.secret[18:] not in stored
        keys.revoke(connection, made.key.id, by="test")
        assert keys.principal(connection, made.secret) is None


def test_a_key_never_may_more_than_its_owner(database: Database) -> None:
    with database.transaction() as connection:
        with pytest.raises(Forbidden):
            keys.create(connection, "k", "anna", ["users:write"], by="test")
        made = keys.create(connection, "k", "anna", ["stewardship:write", "customers:read"], by="test")
        users.set_role(connection, "anna", Role.VIEWER, by="test")
        found = keys.principal(connection, made.secret)
        assert found is not None
        assert not found.may(Permission.STEWARDSHIP_WRITE)
        with pytest.raises(Forbidden):
            found.require(Permission.STEWARDSHIP_WRITE)
        users.disable(connection, "anna", by="test")
        assert keys.principal(connection, made.secret) is None


def test_an_expired_key_does_not_work(database: Database) -> None:
    with database.transaction() as connection:
        made = keys.create(connection, "k", "anna", ["customers:read"], by="test", days=1)
        connection.execute(update(api_key).values(expires_at=datetime.now(UTC)))
        assert keys.principal(connection, made.secret) is None


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [("", ["customers:read"], 1), ("k", [], 1), ("k", ["x"], 1), ("k", ["customers:read"], 0)],
)
def test_senseless_keys_are_refused(database: Database, name: str, scopes: list[str], days: int) -> None:
    with pytest.raises(Misused), database.transaction() as connection:
        keys.create(connection, name, "anna", scopes, by="test", days=days)


def test_the_last_administrator_stays(database: Database) -> None:
    with database.transaction() as connection:
        users.add(connection, "root", Role.ADMIN, by="test")
        with pytest.raises(Refused):
            users.disable(connection, "root", by="test")
        with pytest.raises(Refused):
            users.set_role(connection, "root", Role.VIEWER, by="test")
        users.add(connection, "second", Role.ADMIN, by="test")
        users.disable(connection, "root", by="test")


def test_a_link_sets_a_password_once(database: Database) -> None:
    with database.transaction() as connection:
        first = links.make(connection, "anna", by="test")
        token = links.make(connection, "anna", by="test")
        with pytest.raises(NotSignedIn):
            links.whose(connection, first)
    with pytest.raises(WeakPassword):
        signing_in.by_new_password(database, token, "short", Visit())
    made = signing_in.by_new_password(database, token, "another good one", Visit())
    with database.reading() as connection:
        assert sessions.principal(connection, made) is not None
    with pytest.raises(NotSignedIn):
        signing_in.by_new_password(database, token, "another good one", Visit())
    signing_in.by_password(database, "anna", "another good one", Visit())


@pytest.mark.parametrize("name", ["", " ", "a b", "a\x00", "-x", "x" * 121, "<b>"])
def test_odd_names_are_refused(database: Database, name: str) -> None:
    with pytest.raises(Misused), database.transaction() as connection:
        users.add(connection, name, Role.VIEWER, by="test")


def test_there_is_no_second_user_of_a_name(database: Database) -> None:
    with pytest.raises(Refused), database.transaction() as connection:
        users.add(connection, "ANNA", Role.VIEWER, by="test")
    with pytest.raises(NotFound), database.reading() as connection:
        users.get(connection, "nobody")


def test_everything_is_in_the_audit_log(either: Database) -> None:
    signing_in.by_password(either, "anna", PASSWORD, Visit("10.0.0.1"))
    with pytest.raises(WrongCredentials):
        signing_in.by_password(either, "anna", "wrong", Visit())
    with either.transaction() as connection:
        made = keys.create(connection, "k", "anna", ["customers:read"], by="user:root")
        keys.revoke(connection, made.key.id, by="user:root")
        users.disable(connection, "anna", by="user:root")
        found = audit.entries(connection)
    actions = [entry.action for entry in reversed(found)]
    assert actions == ["user.added", "sign_in", "sign_in.failed", "key.created", "key.revoked", "user.disabled"]
    assert PASSWORD not in str(found)
    assert made.secret not in str(found)


def test_roles_hold_known_permissions_and_only_administrators_manage_users() -> None:
    assert PERMISSIONS[Role.ADMIN] == frozenset(Permission) - {Permission.PUBLIC}
    for role in Role:
        assert Permission.PUBLIC not in PERMISSIONS[role]
        assert Permission.SELF in PERMISSIONS[role]
        if role is not Role.ADMIN:
            assert not PERMISSIONS[role] & {Permission.USERS_WRITE, Permission.AUDIT_READ, Permission.CUSTOMERS_ERASE}
    assert {Permission.PUBLIC, Permission.SELF} & SCOPES == set()
