"""The files connector: what the engine sees."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from connectors.contract import Capability, Checked, Connector, Context, Deletes, Field, Page, Read, Stream
from connectors.errors import BadConfiguration, ConnectorError
from connectors.files.config import FilesConfig, StreamConfig
from connectors.files.exports import recognise
from connectors.files.locate import FORMATS, Folder
from connectors.files.rows import printable
from connectors.files.streams import FileStream

IDS_SIZE = 5000


class FilesConnector(Connector[FilesConfig]):
    """Reads streams of records from files in the project folder, or outside of it where that is allowed."""

    id = "files"
    config_model = FilesConfig

    def __init__(self, config: FilesConfig, context: Context) -> None:
        super().__init__(config, context)
        self._folder = Folder(context.folder, config.outside, config.limits.files)

    def check(self) -> Checked:
        """Find each stream's files and open the first of them."""
        if self.config.path is not None and not self._folder.find([self.config.path]):
            raise BadConfiguration(
                "No data file is found at {path}.",
                setting="path",
                remedy="Write the path as seen from the project's folder, e.g. inbox/*.csv, or put a file there. "
                "Data files end in {endings}.",
                path=self.config.path[:200],
                endings=", ".join(FORMATS),
            )
        details = {name: stream.describe() for name, stream in self._streams.items()}
        return Checked("The files can be read; streams: {streams}.", details, {"streams": len(details)})

    def discover(self) -> Sequence[Stream]:
        """The configured streams with the columns of their first files; without, where those cannot be read now.

        A stream whose first file is a known export names the mapping that is shipped for it.
        """
        return [self._describe(stream) for stream in self._streams.values()]

    def read(self, request: Read) -> Iterator[Page]:
        """Pages of rows, file by file in the order of their names."""
        return self._stream(request.stream).pages(request)

    def ids(self, stream: str) -> Iterator[Sequence[str]]:
        """The keys of all rows of all files."""
        return self._stream(stream).ids(IDS_SIZE)

    def _describe(self, stream: FileStream) -> Stream:
        deletes = stream.config.how_deleted
        capabilities = {Capability.INCREMENTAL}
        if deletes is Deletes.SWEEP:
            capabilities.add(Capability.IDS)
        fields = _fields(stream)
        export = recognise(field.path for field in fields)
        mapping = None if export is None else os.path.relpath(export.mapping, Path(__file__).parent)
        return Stream(stream.name, stream.name, frozenset(capabilities), deletes, 0, fields, mapping, sweep_every=0)

    def _stream(self, name: str) -> FileStream:
        if name in self._streams:
            return self._streams[name]
        raise BadConfiguration(
            "There is no stream {stream}. Streams: {allowed}.",
            setting="streams",
            stream=name[:80],
            allowed=", ".join(self._streams)[:300],
        )

    @cached_property
    def _streams(self) -> dict[str, FileStream]:
        """Streams by name: those configured, and one for each data file of ``path``."""
        found = {
            name: given if isinstance(given, StreamConfig) else StreamConfig.model_validate({"path": given})
            for name, given in self.config.streams.items()
        }
        if self.config.path is not None:
            stems: dict[str, list[str]] = {}
            for source in self._folder.find([self.config.path]):
                stems.setdefault(source.path.stem, []).append(str(source.path))
            plain = StreamConfig.model_validate({"path": ""})
            for stem, paths in stems.items():
                found.setdefault(printable(stem), plain.model_copy(update={"path": paths}))
        return {name: FileStream(name, config, self.config, self._folder) for name, config in found.items()}


def _fields(stream: FileStream) -> Sequence[Field]:
    """A file that is missing or broken is told by the check and by reading its stream: the others go on."""
    try:
        return stream.fields()
    except ConnectorError:
        return []
