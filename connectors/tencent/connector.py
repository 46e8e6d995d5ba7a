"""What connectors of WeCom and WeChat share: one stream of people, read whole, told by callbacks, remarked upon."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol, TypeVar

from connectors.contract import (
    Capability,
    Config,
    Connector,
    Context,
    Deletes,
    Field,
    Inbound,
    Page,
    Read,
    Stream,
    Write,
    WriteResult,
)
from connectors.naming import ensure_known
from connectors.tencent.callbacks import CallbackKeys, Callbacks

ConfigT = TypeVar("ConfigT", bound=Config)


class People(Protocol):
    """The records of the stream."""

    def read(self, request: Read) -> Iterator[Page]:
        """All of them, page by page."""
        ...

    def ids(self) -> Iterator[Sequence[str]]:
        """Their keys."""
        ...

    def fetch(self, keys: Sequence[str], /) -> Page:
        """These, as they are now."""
        ...


class Remarks(Protocol):
    """What can be written of people."""

    def write(self, batch: Sequence[Write], /) -> Sequence[WriteResult]:
        """One result per write, in order."""
        ...


class TencentConnector(Connector[ConfigT]):
    """A connector of one stream. ``title`` and ``fields`` are documented, so nothing is sampled."""

    stream: ClassVar[str]
    title: ClassVar[str]
    fields: ClassVar[Sequence[Field]]

    def __init__(self, config: ConfigT, context: Context, keys: CallbackKeys) -> None:
        super().__init__(config, context)
        self._callbacks = Callbacks(context.connection, keys)

    @property
    @abstractmethod
    def people(self) -> People:
        """Who is read."""

    @abstractmethod
    def writer(self) -> Remarks:
        """What sets remarks."""

    def discover(self) -> Sequence[Stream]:
        """The one stream."""
        can = frozenset({Capability.IDS, Capability.WRITE, Capability.WEBHOOK})
        return [Stream(self.stream, self.title, can, Deletes.SWEEP, fields=self.fields, mapping="mapping.yaml")]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of all people, each time."""
        self._known(request.stream)
        return self.people.read(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """The keys of all people."""
        self._known(stream)
        return self.people.ids()

    def fetch(self, stream: str, keys: Sequence[str]) -> Page:
        """Single people as they are now."""
        self._known(stream)
        return self.people.fetch(keys)

    def write(self, stream: str, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Set remarks; people cannot be created."""
        self._known(stream)
        return self.writer().write(batch)

    def challenge(self, request: Inbound) -> bytes | None:
        """The decrypted text by which the address of callbacks is tested."""
        return self._callbacks.echo(request, self.context.now())

    def told(self, request: Inbound) -> dict[str, str]:
        """What a callback says, once it is proved."""
        return dict(self._callbacks.message(request, self.context.now()))

    def _known(self, stream: str) -> None:
        ensure_known(stream, (self.stream,), self.context.connection)
