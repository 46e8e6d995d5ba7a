"""Writing several parties with a call each for looking, creating and changing, instead of some for each party.

Tryton carries out a call whole or not at all. So what is created or changed together is either all there, or nothing of
it is and each party is written alone, which tells what is wrong with whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.contract import Write, WriteResult
from connectors.errors import RecordRejected, StreamBroken
from connectors.tryton.parts import PARTY
from connectors.tryton.writing import MARK, PartyWriter, lock_of, number_of

AT_ONCE = 100
IDENTIFIER = "party.identifier"


class BatchWriter(PartyWriter):
    """Writes parties of one database, several in one call where they go together."""

    at_once = AT_ONCE

    def _together(self, part: Sequence[Write]) -> dict[int, WriteResult]:
        """Results by place; none for parties that have to be written alone."""
        made, taken = self._marked(part), self._coded(part)
        rows = {row["id"]: row for row in self.current(_numbers(part))}
        done: dict[int, WriteResult] = {}
        new: dict[int, dict[str, Any]] = {}
        changes: dict[int, dict[str, Any]] = {}
        seen: set[str] = set()
        for place, write in enumerate(part):
            code = _code(write)
            about = {f"party:{write.key or write.idempotency_key}", *([f"code:{code}"] if code else [])}
            if about & seen:
                continue  # after the first of them, which it depends on
            seen |= about
            earlier = made.get(MARK + write.idempotency_key) if write.key is None else None
            if earlier is not None:
                done[place] = WriteResult(str(earlier))
                continue
            owner = taken.get(code)
            if owner is not None and str(owner) != write.key:
                continue  # told as a conflict
            try:
                if write.key is None:
                    new[place] = self.new(write)
                elif (row := rows.get(number_of(write.key))) is not None:
                    changes[place] = self.changes(write, row)
            except RecordRejected:
                continue
        done |= self._created(new)
        return done | self._changed({place: (part[place].key or "", values) for place, values in changes.items()}, rows)

    # --- looking

    def _marked(self, part: Sequence[Write]) -> dict[str, int]:
        """The parties that earlier tries of these writes have made, by their marks."""
        marks = [MARK + write.idempotency_key for write in part if write.key is None]
        found = self._read(IDENTIFIER, [["code", "in", marks]], ["code", "party"]) if marks else []
        return {row["code"]: row["party"] for row in found}

    def _coded(self, part: Sequence[Write]) -> dict[str, int]:
        """The parties that have the codes which are to be given, by these codes."""
        codes = sorted({_code(write) for write in part} - {""})
        found = self._read(PARTY, [["code", "in", codes]], ["code"]) if codes else []
        return {row["code"]: row["id"] for row in found}

    def _read(self, model: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._client.call(
            f"model.{model}.search_read", domain, 0, None, None, fields, active_test=False
        )
        return rows

    # --- writing

    def _created(self, new: Mapping[int, dict[str, Any]]) -> dict[int, WriteResult]:
        """What became of new parties; nothing where they were refused together."""
        if len(new) < 2:
            return {}
        try:
            keys = self._client.call(f"model.{PARTY}.create", list(new.values()), write=True)
        except (RecordRejected, StreamBroken):
            return {}
        if not isinstance(keys, list) or len(keys) != len(new):
            return {}  # each is looked for by its mark, and found
        return {place: WriteResult(str(key), created=True) for place, key in zip(new, keys, strict=True)}

    def _changed(
        self, changes: Mapping[int, tuple[str, dict[str, Any]]], rows: Mapping[int, Mapping[str, Any]]
    ) -> dict[int, WriteResult]:
        """What became of changed parties, each under its own time stamp; nothing where they were refused together."""
        there = {place: WriteResult(key) for place, (key, values) in changes.items() if not values}
        wanted = {place: change for place, change in changes.items() if change[1]}
        if len(wanted) < 2:
            return there
        pairs: list[Any] = []
        locks: dict[str, Any] = {}
        for key, values in wanted.values():
            number = number_of(key)
            pairs += [[number], values]
            locks[lock_of(number)] = rows[number]["_timestamp"]
        try:
            self._client.call(f"model.{PARTY}.write", *pairs, write=True, _timestamp=locks)
        except (RecordRejected, StreamBroken):
            return there
        return there | {place: WriteResult(key) for place, (key, _) in wanted.items()}


def _numbers(part: Iterable[Write]) -> list[int]:
    return sorted({int(write.key) for write in part if write.key is not None and write.key.isdecimal()})


def _code(write: Write) -> str:
    code = write.body.get("code")
    return code if isinstance(code, str) else ""
