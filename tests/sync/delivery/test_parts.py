"""The parts of delivery: retries that last three days, lines that keep order, addresses that lie, secrets that sign."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.delivery import addresses, messages, retrying, signing
from sync.delivery.health import Health
from sync.delivery.lines import Item, Lines
from sync.delivery.sending import Outcome, Sender
from sync.errors import Misused
from sync.runs.wording import Wording

NOW = datetime(2026, 5, 1, tzinfo=UTC)
BAD = Outcome(NOW, 1, 500, Wording("The receiver answered {status}.", {"status": 500}))
GOOD = Outcome(NOW, 1, 200, None)


def resolver(*found: str) -> Any:
    """A name server that answers something else each time."""
    answers = list(found)

    def resolve(host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
        address = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(2, 1, 6, "", (address, port))]

    return resolve


def test_a_refused_event_is_tried_for_more_than_three_days_even_without_luck() -> None:
    shortest = sum(retrying.DELAYS)
    assert shortest > 3 * 86_400
    waited = [retrying.delay(failures) for failures in range(1, len(retrying.DELAYS) + 1)]
    assert all(least <= (given or 0) <= least * 4 / 3 for least, given in zip(retrying.DELAYS, waited, strict=True))
    assert retrying.delay(len(retrying.DELAYS) + 1) is None
    assert retrying.delay(1, wish=600) == 600
    assert (retrying.delay(1, wish=1e9) or 0) == retrying.LONGEST_WISH


def test_pauses_grow_to_a_quarter_of_an_hour_and_no_further() -> None:
    assert retrying.pause(retrying.OPEN_AFTER - 1) == 0
    assert 5 <= retrying.pause(retrying.OPEN_AFTER) < 7
    assert 900 <= retrying.pause(10_000) <= 1_200


def test_one_customer_alone_never_pauses_the_endpoint() -> None:
    health = Health()
    for _ in range(50):
        health.note(1, BAD, 1_000.0)
    assert health.failing_since is None
    assert health.resume_at == 0
    for customer in (2, 3):
        health.note(customer, BAD, 1_000.0)
    assert health.failing_since == NOW
    assert health.resume_at > 1_000
    health.note(2, GOOD, 1_001.0)
    assert (health.failures, health.failing_since, health.resume_at) == (0, None, 0.0)
    assert health.news == ["failing", "recovered"]


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=60), st.randoms(use_true_random=False))
def test_however_deliveries_end_each_customers_events_are_delivered_in_order(
    given_events: Sequence[tuple[int, bool]], rng: Any
) -> None:
    lines, now = Lines(), 0.0
    lines.add(Item(seq, customer) for seq, (customer, _) in enumerate(given_events))
    fails = {seq for seq, (_, failing) in enumerate(given_events) if failing}
    flying: list[Item] = []
    done: list[Item] = []
    while lines.length:
        flying += lines.take(now, rng.randint(1, 3))
        assert len({item.customer_id for item in flying}) == len(flying), "two of one customer at once"
        if flying:
            item = flying.pop(rng.randrange(len(flying)))
            if item.seq in fails:
                fails.discard(item.seq)
                item.attempts, item.next_at = item.attempts + 1, now + rng.randint(1, 5)
                lines.put_back(item)
            else:
                lines.done(item)
                done.append(item)
        else:
            now = lines.next_at() or now
    assert len(done) == len(given_events)
    for customer in range(1, 5):
        seqs = [item.seq for item in done if item.customer_id == customer]
        assert seqs == sorted(seqs)


def test_a_name_that_resolves_elsewhere_when_it_is_dialled_gains_nothing() -> None:
    turning = resolver("1.1.1.1", "127.0.0.1")
    url = addresses.check("https://rebind.example/x", [], turning)
    sender = Sender(url, [signing.new_secret()], [], turning)
    outcome = sender.send(messages.of_test("we_x", "1", NOW))
    assert not outcome.delivered
    assert "guard forbids" in str(outcome.error)


def test_plain_http_is_refused_when_the_name_turns_public() -> None:
    turning = resolver("10.0.0.9", "10.0.0.9", "1.1.1.1")
    url = addresses.check("http://inside.example/x", ["10.0.0.0/8"], turning)
    outcome = Sender(url, [signing.new_secret()], ["10.0.0.0/8"], turning).send(messages.of_test("we_x", "1", NOW))
    assert "https only" in str(outcome.error)


def test_a_name_of_which_one_address_is_private_is_refused() -> None:
    def both(host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
        return [(2, 1, 6, "", (address, port)) for address in ("1.1.1.1", "192.168.0.1")]

    with pytest.raises(Misused, match="guard forbids"):
        addresses.check("https://two.example/", [], both)


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_QUJD", "whsec_" + "A" * 200, "whsec_!!!!"])
def test_a_secret_that_is_too_short_or_none_is_refused(secret: str) -> None:
    with pytest.raises(Misused):
        signing.given_secret(secret)


def test_a_secret_is_not_told_by_its_owner() -> None:
    secret = signing.new_secret()
    assert secret.get_secret_value() not in repr(secret)
    assert secret.get_secret_value() not in repr(Sender("https://1.1.1.1/", [secret]).__dict__)
