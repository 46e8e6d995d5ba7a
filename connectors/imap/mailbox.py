"""One mailbox, read only: its folders, how they stand, the headers in them. Never marks a message as read.

Folders are opened by EXAMINE and headers fetched by BODY.PEEK, at most ``MAX_HEADER`` bytes of each. Work goes by UIDs;
sequence numbers move when somebody deletes a message.
"""

from __future__ import annotations

import imaplib
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, TypeVar

from connectors.contract import Context
from connectors.correspondence.headers import FIELDS
from connectors.errors import BadConfiguration, ConnectorError, RetryLater, StreamBroken
from connectors.imap.config import ImapConfig
from connectors.imap.folders import Folder, chosen, parse_list, quoted
from connectors.imap.login import close_session, fault, open_session
from connectors.imap.wire import (
    MONTHS,
    Fetched,
    FolderState,
    Line,
    compressed,
    parse_fetch,
    parse_search,
    parse_status,
    parse_uids,
)

MAX_HEADER = 65_536
BATCH = 200
"""Messages whose headers are fetched at once."""
UIDS_AT_ONCE = 50_000
"""A SEARCH answer is one line, and imaplib takes lines up to 1 MB."""
ITEMS = f"(UID INTERNALDATE BODY.PEEK[HEADER.FIELDS ({' '.join(FIELDS)})]<0.{MAX_HEADER}>)"
AnswerT = TypeVar("AnswerT")


class Mailbox:
    """A session that opens itself when it is needed. Not for several threads."""

    def __init__(self, config: ImapConfig, context: Context) -> None:
        self._config, self._context = config, context
        self._session: imaplib.IMAP4 | None = None
        self._opened: tuple[str, FolderState] | None = None
        self._messages = 0

    def folders(self) -> list[Folder]:
        """The folders to read, sorted. Raises BadConfiguration when a wanted one is not there."""
        self._leave()
        lines = self._ask("LIST", lambda session: session.list())
        found, missing = chosen(parse_list(lines), self._config.folders)
        if missing:
            raise BadConfiguration(
                "{connection}: the mailbox has no folder {folder}.",
                connection=self._context.connection,
                folder=missing[0],
                setting="folders",
                remedy="Check the spelling; `kehu connection test` lists the folders.",
            )
        return found

    def state(self, folder: Folder) -> FolderState | None:
        """How a folder stands; None when it has gone or lacks stable UIDs."""
        lines = self._ask(
            "STATUS",
            lambda session: session.status(quoted(folder.wire), "(MESSAGES UIDNEXT UIDVALIDITY)"),
            missing_ok=True,
        )
        state = parse_status(lines)
        return state if state is not None and state.validity > 0 else None

    def open(self, folder: Folder, state: FolderState) -> None:
        """Open a folder for reading only. Raises RetryLater when its numbering has changed since ``state``."""
        if self._opened == (folder.wire, state):
            return
        self._opened = None
        exists = self._ask("EXAMINE", lambda session: session.select(quoted(folder.wire), readonly=True))
        self._messages = int(exists[0]) if exists and isinstance(exists[0], bytes) and exists[0].isdigit() else 0
        told = self._ask("UIDVALIDITY", lambda session: session.response("UIDVALIDITY"))
        if told and isinstance(told[0], bytes) and told[0].isdigit() and int(told[0]) != state.validity:
            raise RetryLater("The folder {folder} was renumbered during the read.", folder=folder.name)
        self._opened = (folder.wire, state)

    def uids(self, state: FolderState, first: int = 1, since: date | None = None) -> Iterator[list[int]]:
        """The UIDs of the open folder from ``first`` to before the next one, ascending, in lists of at most BATCH."""
        for low, high in self._windows(first, state):
            criteria = ["UID", f"{low}:{high}"]
            if since is not None:
                criteria += ["SINCE", f"{since.day}-{MONTHS[since.month - 1].decode()}-{since.year:04}"]
            found = self.search(*criteria)
            wanted = [uid for uid in found if low <= uid <= high]  # `n:*` always matches the newest
            for start in range(0, len(wanted), BATCH):
                yield wanted[start : start + BATCH]

    def search(self, *criteria: str) -> list[int]:
        """The UIDs in the open folder that match. Criteria with other letters than ASCII match nothing here."""
        if not all(word.isascii() for word in criteria):
            return []
        return parse_search(self._ask("SEARCH", lambda session: session.uid("SEARCH", *criteria)))

    def headers(self, uids: Sequence[int]) -> list[Fetched]:
        """The headers of these messages of the open folder; those deleted meanwhile are left out."""
        if not uids:
            return []
        wanted = set(uids)
        lines = self._ask("FETCH", lambda session: session.uid("FETCH", compressed(uids), ITEMS))
        return [message for message in parse_fetch(lines) if message.uid in wanted]

    def _windows(self, first: int, state: FolderState) -> list[tuple[int, int]]:
        """Ranges of UIDs from ``first`` on that hold at most ``UIDS_AT_ONCE`` messages each.

        UIDs may be billions apart, so a large folder is cut where its every so manyth message lies.
        """
        cuts = [first]
        if self._messages > UIDS_AT_ONCE:
            numbers = ",".join(str(number) for number in range(1, self._messages + 1, UIDS_AT_ONCE))
            lines = self._ask("FETCH", lambda session: session.fetch(numbers, "(UID)"))
            cuts += [uid for uid in parse_uids(lines) if first < uid < state.next_uid]
        ends = [*(cut - 1 for cut in cuts[1:]), state.next_uid - 1]
        return [(low, high) for low, high in zip(cuts, ends, strict=True) if low <= high]

    def _leave(self) -> None:
        """Leave the open folder, because STATUS of an open folder tells how it stood when it was opened.

        CLOSE is harmless where UNSELECT is missing: folders are opened for reading only, so it removes nothing.
        """
        if self._opened is None or self._session is None:
            return
        self._opened = None
        unselect = "UNSELECT" in self._session.capability()[1][0].decode().split()
        self._ask("CLOSE", lambda session: session.unselect() if unselect else session.close())

    def close(self) -> None:
        """Log out."""
        session, self._session, self._opened = self._session, None, None
        if session is not None:
            close_session(session)

    def _ask(
        self, what: str, call: Callable[[imaplib.IMAP4], tuple[str, Any]], *, missing_ok: bool = False
    ) -> list[Line]:
        """The lines of an answer. After a fault of the connection the next call opens a new session."""
        if self._session is None:
            self._session = open_session(self._config, self._context)
        try:
            status, lines = call(self._session)
        except (OSError, imaplib.IMAP4.error) as error:
            self.close()
            raise fault(error, self._context.connection) from None
        if status in ("NO", "BAD"):
            if missing_ok:
                return []
            raise self._refusal(what, lines)
        return list(lines or [])

    def _refusal(self, what: str, lines: Sequence[Any]) -> ConnectorError:
        reason = b" ".join(line for line in lines if isinstance(line, bytes)).decode("utf-8", "replace")[:200]
        return StreamBroken(
            "{connection}: the mail server refused {command} ({reason}).",
            connection=self._context.connection,
            command=what,
            reason=reason,
            remedy="Check that IMAP is switched on for this mailbox and that its folders may be read.",
        )
