"""What identifies a row: the configured columns, else a column that looks like an id, else the row's content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import xxhash

from connectors.files.rows import BadRow, Row, bad_row, printable
from connectors.files.tidying import is_rounded

LONGEST = 200
_ID_NAMES = re.compile(
    r"^(?:id|key|uuid|guid|code|no|number|num|openid|unionid|编号|编码|代码|序列号|編號|代碼|代號)$"
    r"|(?:[_\s-](?:id|no|code|key|uuid|number)|(?<=[a-z])(?:Id|ID|No|Code))$"
    r"|(?:编号|编码|代码|编号\(.*\)|ID|id|账号|帳號|會員號|会员号|卡号|編號|代碼|代號)$",
    re.IGNORECASE,
)


def choose_key(rows: Sequence[Row], preferred: str | None = None) -> list[str]:
    """The first column whose name says that it identifies and whose values in ``rows`` are there and distinct.

    ``preferred`` comes first, whatever its name says. An empty list, meaning that the content identifies, if there is
    none. Columns such as 姓名 that are distinct by chance are not taken.
    """
    if not rows:
        return []
    named = [name for name in rows[0] if _is_id_name(name)]
    for name in named if preferred is None else [preferred, *named]:
        if _is_distinct([row.get(name) for row in rows]):
            return [name]
    return []


def _is_id_name(name: str) -> bool:
    name = name.strip()
    if re.fullmatch(r"(?i)(?:paid|void|valid|grid|bid|raid|avoid)", name):
        return False
    return bool(_ID_NAMES.search(name))


def _is_distinct(values: Sequence[object]) -> bool:
    texts = [str(value).strip() for value in values if isinstance(value, str | int)]
    return len(texts) == len(values) and all(texts) and len(set(texts)) == len(values)


class Keys:
    """Makes and checks the keys of one file's rows, in order."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self.by_columns = bool(columns)
        self._seen = Seen()
        self._copies: dict[str, int] = {}

    def of(self, row: Row, body: bytes) -> str | BadRow:
        """The row's key, or why it has none."""
        if not self._columns:
            return xxhash.xxh3_128_hexdigest(body)
        if len(self._columns) == 1:
            key = _text(row.get(self._columns[0]))
        else:
            parts = [_text(row.get(column)) for column in self._columns]
            key = "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts) if all(parts) else ""
        if 0 < len(key) <= LONGEST:
            return key if "E+" not in key.upper() else self._whole(key)
        template = "The key {path} is longer than {limit} characters." if key else "The key {path} is empty."
        return bad_row(key[:80], template, path=printable(", ".join(self._columns)), limit=LONGEST)

    def _whole(self, key: str) -> str | BadRow:
        """The key, unless a part of it is a number that lost digits: other rows would share it."""
        if not any(is_rounded(part) for part in key.split("|")):
            return key
        return bad_row(
            key[:80],
            "The key {path} has lost digits ({key}): format the column as text, and export it anew.",
            path=printable(", ".join(self._columns)),
            key=printable(key[:80]),
        )

    def guess(self, row: Row | None) -> str | None:
        """The key of a broken row, as far as it can be made out; None if it has none, or a row before has it."""
        if row is None or not self.by_columns:
            return None
        key = self.of(row, b"")
        if isinstance(key, BadRow) or not key.isprintable() or not _encodable(key) or self._seen.knows(key):
            return None
        return key

    def settle(self, keys: Sequence[str]) -> list[str | None]:
        """The keys of a page as they are to be used: None for one that an earlier row of the file has.

        Rows that are identified by their content may repeat: the second gets ``:2`` appended, and so on.
        """
        settled: list[str | None] = list(keys)
        for index in self._seen.repeated(keys):
            settled[index] = None if self._columns else self._next_copy(keys[index])
        return settled

    def _next_copy(self, key: str) -> str:
        self._copies[key] = self._copies.get(key, 1) + 1
        return f"{key}:{self._copies[key]}"


def _encodable(key: str) -> bool:
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class Seen:
    """Which keys came before, at 8 bytes each: sorted runs of 64-bit hashes, merged as they grow.

    Two different keys are taken for one with a probability of about n²/2⁶⁵ (3 in a million for 10 million rows).
    """

    def __init__(self) -> None:
        self._runs: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = []

    def repeated(self, keys: Iterable[str]) -> list[int]:
        """The positions of keys that came before, in this call or an earlier one; all keys then count as seen."""
        hashes = np.fromiter((xxhash.xxh3_64_intdigest(key.encode()) for key in keys), dtype=np.uint64)
        if not len(hashes):
            return []
        fresh, first = np.unique(hashes, return_index=True)
        again = np.ones(len(hashes), dtype=bool)
        again[first] = False
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            again |= run[places] == hashes
        self._add(fresh)
        return [int(index) for index in np.flatnonzero(again)]

    def knows(self, key: str) -> bool:
        """Whether a key came before; it does not count as seen by this."""
        value = np.uint64(xxhash.xxh3_64_intdigest(key.encode()))
        return any(run[min(int(np.searchsorted(run, value)), len(run) - 1)] == value for run in self._runs)

    def _add(self, run: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-1]) * 2 >= len(self._runs[-2]):
            merged = np.concatenate([self._runs.pop(), self._runs.pop()])
            merged.sort()
            self._runs.append(merged)
