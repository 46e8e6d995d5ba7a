"""Names that a connector is asked for: known, or refused with those that are."""

from __future__ import annotations

from collections.abc import Collection

from connectors.errors import BadConfiguration


def ensure_known(stream: str, allowed: Collection[str], connection: str) -> None:
    """Raise ``BadConfiguration`` unless the connector has a stream of this name."""
    if stream not in allowed:
        raise BadConfiguration(
            "{connection}: there is no stream {stream}. Allowed: {allowed}.",
            setting="streams",
            connection=connection,
            stream=stream[:60],
            allowed=", ".join(allowed),
        )
