"""Traces by OpenTelemetry, off unless ``KEHU_OTEL=1``: spans of requests and of runs, with names and counts only.

Where to is said by OpenTelemetry's own variables, e.g. ``OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318``. Needs the
extra ``kehu[otel]``. While it is off nothing of it is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sync.errors import Misused

VARIABLE = "KEHU_OTEL"
Value = str | int | float | bool
_tracer: Any = None


class Span:
    """One unit of work. Attributes hold neither personal data nor texts of errors."""

    def __init__(self, inner: Any = None) -> None:
        self._inner = inner

    def name(self, name: str) -> None:
        """Name it better, once more is known."""
        if self._inner is not None:
            self._inner.update_name(name)

    def note(self, attributes: Mapping[str, Value]) -> None:
        """What is known of it."""
        if self._inner is not None:
            self._inner.set_attributes(dict(attributes))


_NOTHING = Span()


def enabled() -> bool:
    """Whether spans are made."""
    return _tracer is not None


def configure(service: str, exporter: Any = None) -> bool:
    """Switch tracing on if the environment says so; answers whether it is on. ``exporter`` is for tests.

    Raises Misused where OpenTelemetry is not installed.
    """
    global _tracer
    if exporter is None and os.environ.get(VARIABLE) != "1":
        return False
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    except ImportError:
        raise Misused(
            "{variable} needs OpenTelemetry, which is not installed.",
            variable=VARIABLE,
            remedy="Install it with `pip install 'kehu[otel]'`.",
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    else:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    _tracer = provider.get_tracer("kehu")
    return True


def switch_off() -> None:
    """No more spans."""
    global _tracer
    _tracer = None


@contextmanager
def span(name: str, attributes: Mapping[str, Value] | None = None) -> Iterator[Span]:
    """A span while the block runs; costs nothing while tracing is off. Of an error only its kind is told."""
    if _tracer is None:
        yield _NOTHING
        return
    made = _tracer.start_as_current_span(
        name, attributes=dict(attributes or {}), record_exception=False, set_status_on_exception=False
    )
    with made as inner:
        try:
            yield Span(inner)
        except BaseException as error:
            inner.set_attribute("error.type", type(error).__name__)
            raise
