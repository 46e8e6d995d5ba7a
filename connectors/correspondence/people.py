"""Who in a message counts as a contact: not we, not our colleagues, nobody behind whom nobody reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase

from connectors.correspondence.headers import Message, Person, fold_address
from connectors.correspondence.ledger import Taken


class People:
    """The rules of one mailbox. ``own`` are its own addresses, ``never`` patterns of addresses left out."""

    def __init__(
        self,
        own: Sequence[str],
        own_domains: Sequence[str],
        never: Sequence[str],
        *,
        mailing_lists: bool = False,
        since: date | None = None,
    ) -> None:
        self._own = {address for address in map(fold_address, own) if address}
        self._domains = tuple("@" + domain.lower().lstrip("@") for domain in own_domains)
        self._never = [pattern.lower() for pattern in never]
        self._mailing_lists, self._since = mailing_lists, since

    def counts(self, message: Message, arrived: datetime) -> bool:
        """Whether the message says anything of contacts at all."""
        if message.automatic or (message.listed and not self._mailing_lists):
            return False
        return self._since is None or arrived.date() >= self._since

    def taken(self, message: Message, arrived: datetime, name: str) -> list[Taken]:
        """The contacts of a message, each once. ``name`` is the same for every copy of the message."""
        senders = [person.address for person in message.senders]
        sent = bool(senders) and all(map(self._is_own, senders))  # a web form writes as us and answers to a customer
        people: dict[str, Person] = {}
        for person in (*message.senders, *message.recipients):
            if not people.get(person.address, person).name or person.address not in people:
                people[person.address] = person
        stamp = arrived.isoformat(timespec="seconds")
        return [
            Taken(person.address, name, stamp, sent, person.name)
            for person in people.values()
            if not self._is_own(person.address) and not any(fnmatchcase(person.address, p) for p in self._never)
        ]

    def _is_own(self, address: str) -> bool:
        return address in self._own or address.endswith(self._domains)
