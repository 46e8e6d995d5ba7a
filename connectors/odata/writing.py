"""Updates that overwrite nothing: read the entity, send what differs under its entity tag.

The tag (``ETag``, RFC 9110) is that of the state just compared with what the caller has last seen; if the entity
changes in between, the system refuses the update and it becomes a ``WriteConflict``.
"""

from __future__ import annotations

from connectors.odata.client import ODataClient
from connectors.writing import RecordWriter, differing, ensure_seen, missing

__all__ = ["Writer", "differing", "ensure_seen", "missing"]


class Writer(RecordWriter):
    """Writes one entity set."""

    def __init__(self, client: ODataClient) -> None:
        self._client = client
