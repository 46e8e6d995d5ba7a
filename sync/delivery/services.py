"""What the command line and the REST interface may ask of webhooks: one list of names, made elsewhere.

Functions that take a ``Connection`` do not commit; those that take a ``Database`` do.
"""

from sync.delivery.attempts import Attempt
from sync.delivery.attempts import get as get_attempt
from sync.delivery.attempts import latest as latest_attempts
from sync.delivery.endpoints import (
    LONGEST_OVERLAP,
    Created,
    Endpoint,
    Wanted,
    all_endpoints,
    change,
    create,
    disable,
    enable,
    get,
    remove,
    rotate,
)
from sync.delivery.messages import TYPES
from sync.delivery.notices import Notice
from sync.delivery.notices import latest as latest_notices
from sync.delivery.queue import length as queue_length
from sync.delivery.queue import replay
from sync.delivery.trying import request_of, send_test

__all__ = [
    "LONGEST_OVERLAP",
    "TYPES",
    "Attempt",
    "Created",
    "Endpoint",
    "Notice",
    "Wanted",
    "all_endpoints",
    "change",
    "create",
    "disable",
    "enable",
    "get",
    "get_attempt",
    "latest_attempts",
    "latest_notices",
    "queue_length",
    "remove",
    "replay",
    "request_of",
    "rotate",
    "send_test",
]
