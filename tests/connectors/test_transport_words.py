"""What is told when a system cannot be reached: a refused connection is no time-out."""

from __future__ import annotations

import socket

import pytest
import requests

from connectors.transport import _fault


def test_a_refused_connection_is_not_told_as_a_time_out() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(requests.ConnectionError) as raised:
        requests.get(f"http://127.0.0.1:{port}", timeout=5)
    found = _fault(raised.value, late=False)
    assert str(found.wording.template).endswith("failed: no connection.")
    assert not found.sent
