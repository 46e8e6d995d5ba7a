from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from connectors.budget import LocalBudget, PacedBudget, Rate
from connectors.errors import BadConfiguration, RetryLater, WaitUntil
from connectors.redis_budget import RedisBudget
from tests.services import ValkeyServer

Maker = Callable[..., PacedBudget]


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.services)])
def make(request: pytest.FixtureRequest) -> Maker:
    """A maker of budgets of one kind; budgets of one test share their state, as processes do."""
    if request.param == "local":
        budgets: dict[str, PacedBudget] = {}
        return lambda rate=None, account="acme", **o: budgets.setdefault(account, LocalBudget(rate, account, **o))
    url = request.getfixturevalue("valkey_url")
    return lambda rate=None, account="acme", **o: RedisBudget(redis.Redis.from_url(url), account, rate, **o)


def spent(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def test_a_burst_goes_at_once_and_the_rest_at_the_rate(make: Maker) -> None:
    budget = make(Rate(calls=50, per=1, burst=5))
    assert spent(lambda: [budget.take() for _ in range(5)]) < 0.05
    assert 0.17 < spent(lambda: [budget.take() for _ in range(10)]) < 0.4


def test_heavy_calls_cost_more(make: Maker) -> None:
    budget = make(Rate(calls=100, per=1, burst=10))
    budget.take(10)
    assert 0.08 < spent(lambda: budget.take(20)) < 0.3, "heavier than the burst: goes when its own weight is there"
    assert 0.15 < spent(lambda: budget.take(10)) < 0.4


def test_a_long_wait_is_handed_over_with_its_time(make: Maker) -> None:
    budget = make(Rate(calls=1, per=60), patience=0.1)
    budget.take()
    before = datetime.now(UTC)
    with pytest.raises(WaitUntil, match="acme") as caught:
        budget.take()
    assert timedelta(seconds=58) < caught.value.until - before < timedelta(seconds=61)


def test_a_refused_call_uses_nothing_up(make: Maker) -> None:
    budget = make(Rate(calls=10, per=1, burst=1), patience=0.0)
    budget.take()
    for _ in range(50):
        with pytest.raises(WaitUntil):
            budget.take()
    time.sleep(0.12)
    budget.take()


def test_a_pause_holds_for_everybody_and_is_never_shortened(make: Maker) -> None:
    one, two = make(), make()
    one.pause_until(datetime.now(UTC) + timedelta(seconds=0.4))
    one.pause_until(datetime.now(UTC) + timedelta(seconds=0.1))
    one.pause_until(datetime.now(UTC) - timedelta(seconds=9))
    assert 0.3 < spent(two.take) < 0.7
    assert spent(two.take) < 0.05


def test_a_long_pause_is_handed_over(make: Maker) -> None:
    budget = make(patience=0.1)
    until = datetime.now(UTC) + timedelta(minutes=10)
    budget.pause_until(until)
    with pytest.raises(WaitUntil) as caught:
        budget.take()
    assert abs(caught.value.until - until) < timedelta(seconds=1)


def test_nobody_is_paused_for_more_than_a_day(make: Maker) -> None:
    budget = make(patience=0.0)
    budget.pause_until(datetime.now(UTC) + timedelta(days=4000))
    with pytest.raises(WaitUntil) as caught:
        budget.take()
    assert caught.value.until < datetime.now(UTC) + timedelta(days=1, seconds=5)


def test_a_pause_that_comes_while_waiting_for_a_place_holds(make: Maker) -> None:
    budget = make(Rate(calls=5, per=1, burst=1))
    budget.take()
    timer = threading.Timer(0.05, lambda: budget.pause_until(datetime.now(UTC) + timedelta(seconds=0.5)))
    timer.start()
    assert spent(budget.take) > 0.5


def test_accounts_do_not_share(make: Maker) -> None:
    make(account="a").pause_until(datetime.now(UTC) + timedelta(seconds=60))
    assert spent(make(account="b").take) < 0.1


def test_many_callers_together_keep_the_rate(make: Maker) -> None:
    """Eight callers at once, 60 calls at 100 a second after a burst of 10: not before 0.5 s are over."""
    taken: list[float] = []
    started = time.monotonic()

    def work() -> None:
        budget = make(Rate(calls=100, per=1, burst=10))
        while len(taken) < 60:
            budget.take()
            taken.append(time.monotonic() - started)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    taken.sort()
    for number, moment in enumerate(taken):
        assert moment >= (number + 1 - 10) / 100 - 0.02, "at no moment more calls than burst and rate allow"
    assert taken[59] < 1.5


@pytest.mark.parametrize("rate", [{"calls": 0}, {"calls": -1}, {"calls": 5, "per": 0}, {"calls": 5, "burst": 0.5}])
def test_a_rate_that_allows_nothing_is_refused(rate: dict[str, float]) -> None:
    with pytest.raises(BadConfiguration):
        Rate(**rate)


@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 5)), min_size=1, max_size=60),
    st.floats(0.5, 50),
    st.floats(1, 20),
)
def test_in_no_stretch_of_time_more_is_spent_than_burst_and_rate_allow(
    steps: list[tuple[float, float]], calls: float, burst: float
) -> None:
    clock = [0.0]
    rate = Rate(calls, 1.0, burst)
    budget = LocalBudget(rate, patience=1e9, clock=lambda: clock[0], sleep=lambda s: clock.__setitem__(0, clock[0] + s))
    spends: list[tuple[float, float]] = []
    for pause, weight in steps:
        clock[0] += pause
        budget.take(weight)
        spends.append((clock[0], weight))
    for first in range(len(spends)):
        for last in range(first, len(spends)):
            weights = [w for _, w in spends[first : last + 1]]
            allowed = max(burst, *weights) + calls * (spends[last][0] - spends[first][0])
            assert sum(weights) <= allowed + 1e-6


@given(st.floats(0, 1e9), st.floats(0.01, 1000))
def test_a_call_goes_at_once_when_its_time_has_come_whatever_the_clock_shows(start: float, calls: float) -> None:
    clock = [start]
    budget = LocalBudget(Rate(calls, 1.0, burst=1), patience=0.0, clock=lambda: clock[0])
    for _ in range(5):
        budget.take()
        clock[0] += 1.01 / calls


# --- Redis comes and goes


@pytest.mark.services
def test_a_pause_survives_a_flush_through_those_who_know_of_it(valkey_url: str) -> None:
    server = redis.Redis.from_url(valkey_url)
    told, other = (RedisBudget(redis.Redis.from_url(valkey_url), "acme", patience=0.0) for _ in range(2))
    told.pause_until(datetime.now(UTC) + timedelta(seconds=60))
    server.flushdb()
    with pytest.raises(WaitUntil):
        told.take()
    with pytest.raises(WaitUntil):
        other.take()


@pytest.mark.services
def test_what_was_used_survives_a_flush(valkey_url: str) -> None:
    budget = RedisBudget(redis.Redis.from_url(valkey_url), "acme", Rate(3, 60), patience=0.0)
    for _ in range(3):
        budget.take()
    redis.Redis.from_url(valkey_url).flushdb()
    with pytest.raises(WaitUntil):
        budget.take()


@pytest.mark.services
def test_nothing_is_left_behind(valkey_url: str) -> None:
    server = redis.Redis.from_url(valkey_url)
    budget = RedisBudget(server, "acme", Rate(1000, 1))
    budget.take()
    budget.pause_until(datetime.now(UTC) + timedelta(seconds=5))
    assert {key: server.ttl(key) > 0 for key in server.keys("*")} == {
        b"kehu:budget:{acme}:used": True,
        b"kehu:budget:{acme}:pause": True,
    }


@pytest.mark.services
def test_while_redis_is_away_nobody_calls_and_a_pause_is_not_forgotten(valkey_server: ValkeyServer) -> None:
    client = redis.Redis.from_url(valkey_server.url(), socket_timeout=0.5)
    budget = RedisBudget(client, "acme", patience=0.3)
    budget.take()
    valkey_server.kill()
    with pytest.raises(RetryLater, match="cannot be reached"):
        budget.take()
    budget.pause_until(datetime.now(UTC) + timedelta(seconds=30))
    valkey_server.start()
    with pytest.raises(WaitUntil):
        budget.take()
    other = RedisBudget(redis.Redis.from_url(valkey_server.url()), "acme", patience=0.0)
    with pytest.raises(WaitUntil):
        other.take()


def test_how_many_calls_are_left_is_told_without_using_any(valkey_url: str) -> None:
    budget = RedisBudget(redis.Redis.from_url(valkey_url), "watched", Rate(10, 60), patience=0.0)
    assert budget.left() == 10
    budget.take(4)
    assert budget.left() in (6, 7)
    assert budget.left() in (6, 7), "looking costs nothing"
    budget.pause_until(datetime.now(UTC) + timedelta(seconds=30))
    assert budget.left() == 0
    assert RedisBudget(redis.Redis.from_url(valkey_url), "watched").left() is None
