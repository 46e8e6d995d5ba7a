"""The IMAP connector: one mailbox, the stream of its contacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from connectors.contract import Capability, Checked, Connector, Context, Deletes, Page, Read, Stream
from connectors.correspondence.reading import FIELDS
from connectors.errors import BadConfiguration
from connectors.imap.config import ImapConfig
from connectors.imap.contacts import Contacts
from connectors.imap.mailbox import Mailbox

STREAM = "contacts"


class ImapConnector(Connector[ImapConfig]):
    """People seen in the headers of a mailbox. Reads only, and marks nothing as read."""

    id: ClassVar[str] = "imap"
    config_model: ClassVar[type[ImapConfig]] = ImapConfig

    def __init__(self, config: ImapConfig, context: Context) -> None:
        super().__init__(config, context)
        self._mailbox = Mailbox(config, context)
        self._contacts = Contacts(self._mailbox, config, context)

    def check(self) -> Checked:
        """Log in, list the folders and count their messages."""
        folders = self._contacts.folders()
        messages = sum(state.messages for _, state in folders)
        names = ", ".join(folder.name for folder, _ in folders)
        return Checked(
            "Logged in to {host} as {user}: {messages} messages in {folders} folders.",
            {"folders": names[:500], "messages": str(messages)},
            {
                "host": self.config.host,
                "user": self.config.user,
                "messages": messages,
                "folders": len(folders),
            },
        )

    def discover(self) -> Sequence[Stream]:
        """The one stream; its fields are our own."""
        capabilities = frozenset({Capability.INCREMENTAL, Capability.IDS})
        return [
            Stream(
                STREAM,
                "Contacts",
                capabilities=capabilities,
                deletes=Deletes.SWEEP,
                fields=FIELDS,
                mapping="mapping.yaml",
            )
        ]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of contacts."""
        _require(request.stream)
        return self._contacts.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """The addresses of all contacts."""
        _require(stream)
        return self._contacts.ids()

    def close(self) -> None:
        """Log out."""
        self._mailbox.close()


def _require(stream: str) -> None:
    if stream != STREAM:
        raise BadConfiguration(
            "A mailbox has no stream {stream}. Allowed: {allowed}.", setting="stream", stream=stream, allowed=STREAM
        )
