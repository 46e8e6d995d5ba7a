"""Live pages by server-sent events: parts of a page by the ids of their elements, sent when they have changed.

A stream ends after ``LONGEST`` seconds, and the browser asks again: so a session that was ended, or a right that was
taken away, is noticed. Looking costs one short read of the database every ``EVERY`` seconds and page.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import orjson
import structlog
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

EVERY, LONGEST = 1.0, 120.0
RETRY = b"retry: 2000\n\n"
BEAT = b": still here\n\n"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class News:
    """What a look found: ``parts`` replace elements, ``added`` goes to the end of them; ``done``: nothing follows."""

    parts: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, str] = field(default_factory=dict)
    done: bool = False
    reload: bool = False


def stream(
    request: Request, look: Callable[[], News], *, every: float = EVERY, longest: float = LONGEST
) -> StreamingResponse:
    """An answer that goes on telling what ``look`` finds. ``look`` runs in a thread and may block."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(request, look, every, longest), media_type="text/event-stream", headers=headers)


async def _events(request: Request, look: Callable[[], News], every: float, longest: float) -> AsyncIterator[bytes]:
    yield RETRY
    shown: dict[str, str] = {}
    deadline = time.monotonic() + longest
    while time.monotonic() < deadline and not await request.is_disconnected():
        try:
            news = await run_in_threadpool(look)
        except Exception as error:  # the answer has begun: all that is left is to end it, and the browser asks again
            log.warning("a live page could not be renewed", kind=type(error).__name__)
            return
        parts = {name: html for name, html in news.parts.items() if shown.get(name) != html}
        shown.update(parts)
        if parts or news.added or news.done or news.reload:
            body = {"parts": parts, "added": dict(news.added), "done": news.done, "reload": news.reload}
            yield b"data: " + orjson.dumps(body) + b"\n\n"
        else:
            yield BEAT
        if news.done or news.reload:
            return
        await asyncio.sleep(every)
