"""The Microsoft Graph connector: one mailbox, the streams of its address book and of the people in its mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote

from connectors.contract import (
    Capability,
    Checked,
    Context,
    Deletes,
    Hint,
    Inbound,
    Page,
    Read,
    Stream,
    Write,
    WriteResult,
)
from connectors.correspondence.people import People
from connectors.correspondence.reading import FIELDS, ContactReader
from connectors.errors import BadConfiguration, ConnectorError, StreamBroken
from connectors.incremental import iso
from connectors.msgraph import notifications
from connectors.msgraph.batches import seen_together
from connectors.msgraph.config import GraphConfig
from connectors.msgraph.mail import GraphMail
from connectors.msgraph.service import NO_MAILBOX, contact_set, graph, user_path
from connectors.msgraph.subscriptions import Subscriptions
from connectors.msgraph.writing import ContactWriter
from connectors.naming import ensure_known
from connectors.odata.tracked_connector import TrackedConnector
from connectors.odata.tracking import TrackedReader
from connectors.wording import phrase_of

CONTACTS, CORRESPONDENTS = "contacts", "correspondents"
WEEK = 7 * 86_400


class GraphConnector(TrackedConnector[GraphConfig]):
    """One Microsoft 365 mailbox. Mail is only read, and nothing is marked as read."""

    id: ClassVar[str] = "msgraph"
    config_model: ClassVar[type[GraphConfig]] = GraphConfig
    titles: ClassVar[Mapping[str, str]] = {CONTACTS: "Contacts"}

    def __init__(self, config: GraphConfig, context: Context) -> None:
        super().__init__(config, context)
        self.client = graph(config, context)
        own = [*config.own_addresses, config.mailbox]
        people = People(own, config.own_domains, config.exclude_addresses, since=config.since)
        self._mail = GraphMail(self.client, config, people)
        self._correspondents = ContactReader(self._mail)
        self._watched = {
            CONTACTS: (contact_set(config).path, "created,updated,deleted"),
            CORRESPONDENTS: (f"{user_path(config)}/messages", "created"),
        }

    def check(self) -> Checked:
        """Log in, list the folders and read a contact."""
        with self.logged_in():
            try:
                folders = self._mail.folders()
            except BadConfiguration as error:
                raise self._naming_mailbox(error) from error
            tracking = self._tracked()
        counts = {"folders": len(folders), "messages": sum(folders.values())}
        return Checked(
            "Microsoft Graph lets us read {mailbox}: {messages} messages in {folders} folders, and the contacts.",
            tracking | self._notified(),
            {"mailbox": self.config.mailbox, **counts},
        )

    def discover(self) -> Sequence[Stream]:
        """The address book, its fields as a sample shows them, and the people in mail."""
        capabilities = frozenset({Capability.INCREMENTAL, Capability.IDS})
        people = Stream(
            CORRESPONDENTS,
            "People in mail",
            capabilities,
            Deletes.SWEEP,
            fields=FIELDS,
            mapping="mapping_correspondents.yaml",
            sweep_every=WEEK,
        )
        return [*super().discover(), people]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of one stream, after a look at its subscription."""
        self._subscribe(request.stream)
        if request.stream != CORRESPONDENTS:
            yield from super().read(request)
            return
        with self.logged_in():
            yield from self._correspondents.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys of one stream."""
        if stream != CORRESPONDENTS:
            yield from super().ids(stream)
            return
        with self.logged_in():
            yield from self._correspondents.ids()

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """Single contacts as they are now."""
        self._only_contacts(stream)
        contacts = contact_set(self.config)
        with self.logged_in():
            paths = [f"{contacts.path}/{quote(key, safe='')}" for key in keys]
            found = dict(zip(keys, seen_together(self.client, paths, contacts.params), strict=True))
        there = [dict(row) for row in found.values() if row is not None]
        return Page(self.reader(stream).records(there), {}, [key for key, row in found.items() if row is None])

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update contacts."""
        self._only_contacts(stream)
        return super().write(stream, batch)

    def challenge(self, request: Inbound) -> bytes | None:
        """The token by which Graph tests the address of notifications."""
        return notifications.challenge(request)

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """What notifications hint at."""
        return notifications.hints(request, self.config.client_state, self.context.connection)

    def _subscriptions(self) -> Subscriptions | None:
        address, state = self.config.notification_url, self.config.client_state
        return Subscriptions(self.client, address, state.get_secret_value()) if address and state else None

    def _subscribe(self, stream: str) -> None:
        ours = self._subscriptions()
        if ours is not None and stream in self._watched:
            with self.logged_in():
                ours.ensure(*self._watched[stream], self.context.now())

    def _notified(self) -> dict[str, str]:
        """Until when changes are told, by stream; nothing where no notifications are wanted."""
        ours = self._subscriptions()
        if ours is None:
            return {}
        ends = {stream: ours.until(resource) for stream, (resource, _) in self._watched.items()}
        return {f"notifications of {stream}": iso(end) if end else "not yet" for stream, end in ends.items()}

    def reader(self, stream: str) -> TrackedReader:
        """The reader of the address book."""
        return TrackedReader(self.client, contact_set(self.config))

    def writer(self, stream: str) -> ContactWriter:
        """The writer of the address book."""
        return ContactWriter(self.client, contact_set(self.config))

    def credentials(self) -> str:
        """The settings of the login."""
        return "client_secret, client_id, tenant"

    def known(self, stream: str) -> None:
        """Raise ``BadConfiguration`` for a stream that there is not."""
        ensure_known(stream, (CONTACTS, CORRESPONDENTS), self.context.connection)

    def _only_contacts(self, stream: str) -> None:
        self.known(stream)
        if stream != CONTACTS:
            raise BadConfiguration(
                "{connection}: the people in mail are read only; write to the stream {stream} instead.",
                setting="streams",
                connection=self.context.connection,
                stream=CONTACTS,
            )

    def _tracked(self) -> dict[str, str]:
        """How changes of contacts become known; a folder of theirs that is not there names its setting."""
        try:
            return self.tracking()
        except (BadConfiguration, StreamBroken) as error:
            if self.config.contact_folder is None:
                raise
            raise self._naming("contact_folder", error) from error

    def _naming(self, settings: str, error: ConnectorError) -> BadConfiguration:
        return BadConfiguration(
            "{reason} Settings to correct: {settings}.",
            setting=settings.partition(",")[0],
            reason=phrase_of(error),
            settings=settings,
            remedy="Enter {settings} of the connection again; see the connector's README for how to get them.",
        )

    def _naming_mailbox(self, error: BadConfiguration) -> BadConfiguration:
        """A refusal that is about the mailbox names that setting; others stay as they are."""
        if str(error.params.get("path", "")).endswith("/token"):
            return self._naming("login_url, tenant", error)
        if error.params.get("code") not in NO_MAILBOX:
            return error if error.setting is not None else self._naming("base_url", error)
        return BadConfiguration(
            "{reason} Is {mailbox} a mailbox of the tenant?",
            setting="mailbox",
            reason=phrase_of(error),
            mailbox=self.config.mailbox,
            remedy="Correct the setting `mailbox`: the sign-in name of a user with a mailbox in Exchange Online.",
        )
