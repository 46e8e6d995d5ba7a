"""One attempt: a POST through the address guard, under a deadline, with the answer's size capped, no redirects."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import requests
from pydantic import SecretStr

from connectors.errors import ConnectorError
from connectors.guard import Resolver, split_origin
from connectors.redaction import Redactor
from connectors.retry_after import wait_seconds
from connectors.transport import Answer, Fault, TooLarge, Transport
from sync.delivery import addresses, signing
from sync.delivery.messages import Message
from sync.runs.wording import Wording

CONNECT, READ, DEADLINE = 5.0, 15.0, 20.0
LARGEST_ANSWER = 256 * 1024
EXCERPT = 500
AGENT = "kehu-webhooks/1"


class Outcome(NamedTuple):
    """What became of an attempt. ``error`` is None when it was delivered; ``gone``: the receiver wants no more."""

    at: datetime
    milliseconds: int
    status: int | None
    error: Wording | None
    answer: str = ""
    wish: float = 0.0
    gone: bool = False

    @property
    def delivered(self) -> bool:
        """Whether the receiver has accepted it."""
        return self.error is None


class Sender:
    """Sends to one address. Thread-safe; connections are kept open between messages."""

    def __init__(
        self,
        url: str,
        keys: Sequence[SecretStr],
        allow_private: Sequence[str] = (),
        resolver: Resolver | None = None,
        *,
        read: float = READ,
        deadline: float = DEADLINE,
    ) -> None:
        self.url, self._keys = url, tuple(keys)
        self._redactor = Redactor(keys)
        guard = addresses.guard(url, allow_private, resolver)
        self._transport = Transport(guard, timeout=(CONNECT, read), deadline=deadline, max_body=LARGEST_ANSWER)

    def send(self, message: Message) -> Outcome:
        """One attempt; never raises for what the receiver or the network does."""
        at, began = datetime.now(UTC), time.monotonic()
        headers = {"content-type": "application/json", "user-agent": AGENT, "accept-encoding": "identity"}
        headers |= signing.headers(message.id, at, message.body, self._keys)
        prepared = requests.Request("POST", self.url, headers=headers, data=message.body.encode()).prepare()
        try:
            answer = self._transport.send(prepared)
        except Fault as fault:
            places = {"connection": "webhook", "method": "POST", "path": "", "host": split_origin(self.url)[1]}
            return _failed(at, began, Wording(fault.wording.template, places))
        except TooLarge:
            limit = {"limit": LARGEST_ANSWER}
            return _failed(at, began, Wording("The answer is larger than {limit} bytes.", limit))
        except ConnectorError as error:
            return _failed(at, began, Wording(error.template, dict(error.params)))
        return self._judged(at, began, answer)

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def _judged(self, at: datetime, began: float, answer: Answer) -> Outcome:
        shown = self._redactor.excerpt(answer.body, EXCERPT)
        took = _since(began)
        if 200 <= answer.status < 300:
            return Outcome(at, took, answer.status, None, shown)
        error = Wording("The receiver answered {status}.", {"status": answer.status})
        if 300 <= answer.status < 400:
            error = Wording("The receiver answered {status}; redirects are not followed.", {"status": answer.status})
        wish = wait_seconds({name.title(): value for name, value in answer.headers.items()}, at) or 0.0
        return Outcome(at, took, answer.status, error, shown, wish, gone=answer.status == 410)


def _failed(at: datetime, began: float, error: Wording) -> Outcome:
    return Outcome(at, _since(began), None, error)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
