"""Late imports, one thread at a time.

Streams run in threads of one process, and connectors are imported when they are first used. Two threads that enter a
package with circular imports at different points (``requests.adapters`` and ``requests.utils``) would wait for each
other; Python solves that by handing one of them a half made module, and its import fails. One lock prevents it.
"""

from __future__ import annotations

from threading import RLock

IMPORTING = RLock()
"""Held while a connector, or a client library that only some connections need, is imported."""
