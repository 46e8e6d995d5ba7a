"""The Gmail connector: one mailbox, the streams of its address book and of the people in its mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar

import orjson

from connectors.auth.naming import naming_address, naming_settings
from connectors.contract import Capability, Checked, Connector, Context, Deletes, Page, Read, Stream
from connectors.correspondence.people import People
from connectors.correspondence.reading import FIELDS, ContactReader
from connectors.errors import BadConfiguration, PermissionMissing
from connectors.gmail.client import google
from connectors.gmail.config import GmailConfig
from connectors.gmail.contacts import AddressBook
from connectors.gmail.login import credential_settings
from connectors.gmail.mail import GmailMail
from connectors.naming import ensure_known
from connectors.rest.sampling import SAMPLE, fields_of
from connectors.wording import phrase_of

CONTACTS, CORRESPONDENTS = "contacts", "correspondents"
WEEK = 7 * 86_400


class GmailConnector(Connector[GmailConfig]):
    """One Google account. Reads only: bodies are never read, and nothing is changed."""

    id: ClassVar[str] = "gmail"
    config_model: ClassVar[type[GmailConfig]] = GmailConfig

    def __init__(self, config: GmailConfig, context: Context) -> None:
        super().__init__(config, context)
        self._clients = google(config, context, config.base_url), google(config, context, config.people_url)
        gmail, contacts = self._clients
        people = People(
            [*config.own_addresses, config.mailbox],
            config.own_domains,
            config.exclude_addresses,
            mailing_lists=config.mailing_lists,
            since=config.since,
        )
        self._mail, self._book = GmailMail(gmail, config, people), AddressBook(contacts)
        self._correspondents = ContactReader(self._mail)

    def check(self) -> Checked:
        """Log in, ask whose mailbox it is and read a contact."""
        with self._logged_in(), self._blaming():
            profile = self._mail.profile()
            self._book.sample(1)
        messages = profile.get("messagesTotal", 0)
        address = str(profile.get("emailAddress", self.config.mailbox))
        return Checked(
            "Gmail lets us read {mailbox}: {messages} messages, and the contacts.",
            {"messages": str(messages)},
            {"mailbox": address, "messages": messages},
        )

    def discover(self) -> Sequence[Stream]:
        """The address book, its fields as a sample shows them, and the people in mail."""
        capabilities = frozenset({Capability.INCREMENTAL, Capability.IDS})
        with self._logged_in():
            try:
                fields = fields_of(orjson.dumps(person) for person in self._book.sample(SAMPLE))
            except PermissionMissing:
                fields = ()
        mapping = "mapping_correspondents.yaml"
        return [
            Stream(CONTACTS, "Contacts", capabilities, Deletes.SWEEP, fields=fields, mapping="mapping.yaml"),
            Stream(
                CORRESPONDENTS,
                "People in mail",
                capabilities,
                Deletes.SWEEP,
                fields=FIELDS,
                mapping=mapping,
                sweep_every=WEEK,
            ),
        ]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of one stream."""
        self._known(request.stream)
        reader = self._book if request.stream == CONTACTS else self._correspondents
        with self._logged_in():
            yield from reader.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys of one stream."""
        self._known(stream)
        with self._logged_in():
            yield from self._book.ids() if stream == CONTACTS else self._correspondents.ids()

    def close(self) -> None:
        """Give back the sockets."""
        for client in self._clients:
            client.close()

    def _logged_in(self) -> AbstractContextManager[None]:
        """Refused credentials name the settings to correct."""
        return naming_settings(self.context.connection, credential_settings(self.config))

    @contextmanager
    def _blaming(self) -> Iterator[None]:
        """Let what is not found, or not allowed, name the setting: the mailbox, or the address of an interface."""
        config, connection = self.config, self.context.connection
        try:
            yield
        except BadConfiguration as error:
            path = str(error.params.get("path", ""))
            setting = "mailbox" if "/users/" in path else "people_url" if "/people/" in path else "token_url"
            with naming_address(connection, f"{setting}, base_url" if setting == "mailbox" else setting):
                raise
        except PermissionMissing as error:
            if "delegation denied" not in str(error).lower():  # what Gmail says of somebody else's mailbox
                raise
            raise PermissionMissing(
                "{reason} Is {mailbox} the mailbox of the user who granted access?",
                reason=phrase_of(error),
                mailbox=config.mailbox,
                remedy="Correct the setting `mailbox`, or let its own user grant access.",
            ) from error

    def _known(self, stream: str) -> None:
        ensure_known(stream, (CONTACTS, CORRESPONDENTS), self.context.connection)
