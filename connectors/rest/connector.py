"""The connector that a REST manifest is bound to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

from connectors.auth.naming import naming_address
from connectors.budget import LocalBudget
from connectors.contract import (
    Checked,
    Config,
    Connector,
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
from connectors.documents import nearest
from connectors.errors import BadConfiguration, BadCredentials, PermissionMissing, StreamBroken
from connectors.manifest import Manifest
from connectors.rest.batching import Batcher
from connectors.rest.client import RuledClient
from connectors.rest.config import config_model, config_values, secrets
from connectors.rest.fetching import Fetcher
from connectors.rest.hooks import Hooks
from connectors.rest.listing import Lister, Wire
from connectors.rest.login import address_settings, credential_settings, login, path_settings
from connectors.rest.manifest import Listing, Partition, RestManifest, RestStream, Tombstone
from connectors.rest.reading import StreamReader
from connectors.rest.rules import Rules
from connectors.rest.sampling import SAMPLE, fields_of
from connectors.rest.slicing import find
from connectors.rest.templates import fill
from connectors.wording import phrase_of


class RestConnector(Connector[Config]):
    """One connection to a system that a manifest describes. Made by ``bind``; never instantiated unbound."""

    manifest: ClassVar[RestManifest]
    folder: ClassVar[Path]

    def __init__(self, config: Config, context: Context) -> None:
        super().__init__(config, _budgeted(context, self.manifest))
        values = config_values(config, self.manifest)
        rules = Rules(self.manifest.errors, self.context)
        self._address = self._base_url(values)
        client = RuledClient(
            self.context,
            self._address,
            rules,
            auth=login(self.manifest, values),
            headers={name: str(fill(text, values)) for name, text in self.manifest.headers.items()},
            timeout=(10, self.manifest.timeout),
        )
        client.redactor.add(*secrets(config))  # all of them: a login may know only some, or only both in one
        rate = self.manifest.rate
        weights = (rate.read, rate.write) if rate else (1.0, 1.0)
        self._wire = Wire(client, values, *weights)

    def check(self) -> Checked:
        """Make the manifest's check call, and read a record of each stream; one we may not read is in the details."""
        address = ", ".join(address_settings(self.manifest)) or "base_url"
        with self._naming_settings(), naming_address(self.context.connection, address):
            who = self._who()
            readable = self._readable()
        title = self.manifest.title.en
        return Checked(
            "Logged in to {system} as {user}." if who else "{system} answers and lets us read.",
            {"address": self._address, **readable},
            {"system": title, "user": who},
        )

    def discover(self) -> Sequence[Stream]:
        """The manifest's streams, with fields from a sample; without, where we may not read one."""
        with self._naming_settings():
            return [self._described(name, stream) for name, stream in self.manifest.streams.items()]

    def partitions(self, stream: str) -> Sequence[str]:
        """The parts the manifest names, or those its partition call lists."""
        spec = self._stream(stream).partitions
        if spec is None:
            return [""]
        return spec.names or self._listed(spec)

    def read(self, request: Read) -> Iterator[Page]:
        """Pages in order; see ``connectors.rest.reading``."""
        spec = self._stream(request.stream)
        reader = StreamReader(
            Lister(self._wire, spec),
            Lister(self._wire, spec.deletes) if isinstance(spec.deletes, Listing) else None,
            spec.window_cap,
            self.context.now,
        )
        with self._naming_settings():
            yield from reader.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """All keys, by the manifest's own call for that or by listing the stream."""
        spec = self._stream(stream)
        lister = Lister(self._wire, spec.ids or spec)
        with self._naming_settings():
            for partition in self.partitions(stream):
                yield from lister.keys(spec.pages.max if spec.ids is None else spec.ids.pages.max, partition)

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Create or update, several records in one call where the manifest says how."""
        spec = self._stream(stream)
        if spec.write is None:
            raise BadConfiguration(
                "{connection}: the stream {stream} cannot be written.",
                connection=self.context.connection,
                stream=stream,
            )
        with self._naming_settings():
            return Batcher(self._wire, spec).write(batch)

    def challenge(self, request: Inbound) -> bytes | None:
        """Nothing, with status 200, for a call by which the system only tests the address."""
        return b"" if self._hooks().is_ping(request) else None

    def verify(self, request: Inbound) -> Sequence[Hint]:
        """What a call hints at that is proved as the manifest says."""
        return self._hooks().hints(request)

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """These records as they are now; see ``connectors.rest.fetching``."""
        spec = self._stream(stream)
        if spec.one is None:
            return super().fetch(stream, keys)
        with self._naming_settings():
            return Fetcher(self._wire, spec, spec.one).fetch(keys)

    def close(self) -> None:
        """Close kept connections."""
        self._wire.client.close()

    def _base_url(self, values: dict[str, Any]) -> str:
        url = str(fill(self.manifest.base_url, values))
        if not url.startswith(("https://", "http://")):
            raise BadConfiguration(
                "{connection}: the address of the system must begin with https:// or http://.",
                setting=next(iter(self.manifest.config), "base_url"),
                connection=self.context.connection,
            )
        return url

    def _hooks(self) -> Hooks:
        if self.manifest.webhook is None:
            raise NotImplementedError(f"{self.id} has no webhooks")
        return Hooks(self.manifest.webhook, self._wire.values, self.context)

    def _who(self) -> str:
        call = self.manifest.check
        if call is None:
            return ""
        values = self._wire.values
        answer = self._wire.send(
            call, values, read=True, params=fill(call.params, values),
            json=fill(call.body, values) if call.method != "GET" else None,
        )  # fmt: skip
        who = find(answer.json(), call.says) if call.says else None
        return str(who)[:200] if who is not None else ""

    def _readable(self) -> dict[str, str]:
        """What may be read, by stream. Raises where nothing may be."""
        said: dict[str, str] = {}
        refused: PermissionMissing | None = None
        for name, stream in self.manifest.streams.items():
            try:
                next(iter(Lister(self._wire, stream).pages(1, partition=next(iter(self.partitions(name)), ""))), None)
                said[name] = "readable"
            except PermissionMissing as error:
                said[name], refused = "not allowed", self._not_allowed(name, error)
        if refused is not None and "readable" not in said.values():
            raise refused
        return said

    def _not_allowed(self, stream: str, error: PermissionMissing) -> PermissionMissing:
        """With the settings that stand in the path: some systems forbid what is not there."""
        names = ", ".join(path_settings(self.manifest, stream))
        if not names:
            return error
        return PermissionMissing(
            "{reason} Settings to correct: {settings}.",
            remedy="Correct {settings} of the connection, or grant the integration user the right to read it.",
            reason=phrase_of(error),
            settings=names,
            connection=self.context.connection,
        )

    def _described(self, name: str, spec: RestStream) -> Stream:
        told = isinstance(spec.deletes, Listing | Tombstone)
        return Stream(
            name,
            spec.title.en,
            self.manifest.abilities(name),
            Deletes.FEED if told else Deletes(str(spec.deletes)),
            spec.incremental.lookback if spec.incremental else 0,
            self._sampled(name, spec),
            spec.mapping,
        )

    def _sampled(self, name: str, spec: RestStream) -> Any:
        try:
            partition = next(iter(self.partitions(name)), "")
            size = min(SAMPLE, spec.window_cap or SAMPLE)
            page = next(iter(Lister(self._wire, spec).pages(size, partition=partition)), None)
        except (PermissionMissing, StreamBroken):
            return ()
        return fields_of(record.body for record in page.sliced.records) if page else ()

    def _listed(self, spec: Partition) -> list[str]:
        listing = Listing(path=spec.path, records=spec.records, key=(spec.key,))
        return [key for keys in Lister(self._wire, listing).keys(listing.pages.max) for key in keys]

    def _stream(self, name: str) -> RestStream:
        streams = self.manifest.streams
        if name in streams:
            return streams[name]
        raise BadConfiguration(
            "{connection}: there is no stream {stream}. Nearest: {nearest}. Allowed: {allowed}.",
            setting="streams",
            connection=self.context.connection,
            stream=name[:60],
            nearest=nearest(name, list(streams)) or "-",
            allowed=", ".join(streams),
        )

    @contextmanager
    def _naming_settings(self) -> Iterator[None]:
        """Let refused credentials name the settings to correct."""
        try:
            yield
        except BadCredentials as error:
            names = error.params.get("settings") or ", ".join(credential_settings(self.manifest)) or "auth"
            raise BadCredentials(
                "{reason} Settings to correct: {settings}.",
                remedy="Enter {settings} of the connection again; see the connector's README for how to get them.",
                reason=phrase_of(error),
                settings=names,
                connection=self.context.connection,
            ) from error


def _budgeted(context: Context, manifest: RestManifest) -> Context:
    """The engine's budget, or else one of our own at the manifest's rate."""
    if context.budget is not None or manifest.rate is None:
        return context
    return replace(context, budget=LocalBudget(manifest.rate.rate(), context.connection))


def bind(manifest: Manifest, folder: Path) -> type[RestConnector]:
    """A connector class for one REST manifest."""
    spec = cast(RestManifest, manifest)
    name = "".join(part.title() for part in spec.id.split("_")) + "Connector"
    members: dict[str, Any] = {"id": spec.id, "config_model": config_model(spec), "manifest": spec, "folder": folder}
    if not any(stream.one for stream in spec.streams.values()):
        members["fetch"] = Connector.fetch  # says to the engine that single records cannot be asked for
    return cast(type[RestConnector], type(name, (RestConnector,), members | {"__doc__": spec.title.en}))
