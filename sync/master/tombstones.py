"""Whom a sync must not bring back: LAND asks before it stores a record.

A tombstone is the HMAC-SHA256 of a source record's address, or of a contact that belonged to nobody else. An address
is refused whatever it brings; a contact only where a record is new. What is refused is told by a hash, without its
content, so that the counts add up and nothing of it is kept.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from connectors.errors import RecordRejected
from sync.errors import Refused
from sync.master.bulk import Bulk, Question, bulk_for

if TYPE_CHECKING:
    from sync.vault import Vault

VAULT = "kehu_vault"
"""The execution option under which the engine of a project carries its vault."""
LOCK = 0x6B656875_65726173
"""An advisory lock: shared by those who store records, exclusive to who erases."""
RECORD, CONTACT = "record", "contact"


class PersonErased(RecordRejected):
    """The record's person was erased. It is counted, and not kept."""

    code = "person_erased"
    default_remedy = "Delete it in its system too. If the person is a customer again, use `kehu master readmit`."


class KeyMissing(Refused):
    """Somebody was erased, and the key that tells whom is not at hand."""

    code = "erasure_key_missing"
    default_remedy = "Start kehu with the project's own database settings and master key."


class Guard:
    """Tells whether records belong to somebody who was erased. Made by ``guard`` inside the transaction of LAND."""

    def __init__(self, bulk: Bulk, key: bytes) -> None:
        self._bulk, self._key = bulk, key

    def mark(self, *words: str) -> str:
        """The mark of an address or a contact."""
        message = "\x1f".join(words).encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, "sha256").hex()

    def addresses(self, connection: str, stream: str, keys: Collection[str]) -> dict[str, str]:
        """Those of a stream's keys that stand for somebody who was erased, with their marks."""
        marks = {self.mark(RECORD, connection, stream, key): key for key in keys}
        return {marks[mark]: mark for mark in self._known(marks)}

    def contacts(self, records: Sequence[Iterable[Mapping[str, Any]]]) -> list[bool]:
        """For each record, given as its canonical customers: whether it has a contact of somebody who was erased."""
        marks = [{self.mark(CONTACT, *words) for one in record for words in contacts_of(one)} for record in records]
        known = self._known(set().union(*marks))
        return [not known.isdisjoint(of_record) for of_record in marks]

    def _known(self, marks: Collection[str]) -> set[str]:
        rows = self._bulk.fetch("SELECT mark FROM tombstone WHERE mark {texts}", sorted(marks))
        return {row[0] for row in rows}


EXISTING: Question = ("SELECT 1 FROM tombstone LIMIT 1",)
"""What ``guard`` asks."""


def share(bulk: Bulk) -> None:
    """Nobody is erased until the transaction ends. SQLite has one writer anyway."""
    if bulk.is_postgres:
        bulk.fetch("SELECT pg_advisory_xact_lock_shared(?)", LOCK)


def exclude(bulk: Bulk) -> None:
    """Nobody stores records until the transaction ends."""
    if bulk.is_postgres:
        bulk.fetch("SELECT pg_advisory_xact_lock(?)", LOCK)


def guard(connection: Connection) -> Guard | None:
    """The guard; None where nobody was ever erased. Raises KeyMissing, VaultError."""
    bulk = bulk_for(connection)
    if not bulk.fetch(*EXISTING):
        return None
    from sync.privacy.sealing import marks_key

    return Guard(bulk, marks_key(connection, vault_of(connection)))


def vault_of(connection: Connection) -> Vault:
    """The vault of the project whose database it is. Raises KeyMissing."""
    found: Callable[[], Vault] | None = connection.get_execution_options().get(VAULT)
    if found is None:
        raise KeyMissing("People were erased from this database, and the key that tells whom is not at hand.")
    return found()


def contacts_of(customer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What identifies a person across systems: emails, phones, and numbers with a valid check digit."""
    found = [("email", str(entry.get("value", "")).casefold()) for entry in customer.get("emails", ())]
    found += [("phone", str(entry.get("value", ""))) for entry in customer.get("phones", ())]
    valid = (entry for entry in customer.get("identifiers", ()) if entry.get("valid"))
    found += [("identifier", f"{entry.get('scheme')}:{entry.get('value')}") for entry in valid]
    return [one for one in dict.fromkeys(found) if one[1]]


def refused(mark: str) -> tuple[str, PersonErased]:
    """What a refused record is called in the quarantine, and why it is there."""
    return f"erased:{mark[:32]}", PersonErased("The person was erased.", rule="erased")
