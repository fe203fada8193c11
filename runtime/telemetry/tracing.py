"""OpenTelemetry traces, off unless `traces.endpoint` is set; while they are off nothing of OpenTelemetry is imported.

A trace goes with its event: ingress starts it, or goes on with the sender's, and writes W3C `traceparent` as one more
header of the Kafka record, only for events that are sampled. Who works on batches has a span of its own for each batch
that holds sampled events, linked with them, and one in each event's trace. Best effort: a collector that is away costs
spans, never events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from sori.errors import PrerequisiteError
from sori.settings.traces import TracesSettings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

#: Headers of the W3C recommendation "Trace Context", in HTTP and in Kafka alike.
TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
#: Events of one batch that get spans; more would say nothing new.
_MOST_LINKS = 64
_EXPORT_TIMEOUT_S = 2.0
Headers = Sequence[tuple[str, bytes]]


class Carrier(Protocol):
    """A Kafka record, as far as traces look at it."""

    @property
    def headers(self) -> Headers: ...
    @property
    def timestamp(self) -> int: ...


def open_tracing(settings: TracesSettings, stage: str) -> Tracing | None:
    """Traces of this process, or None when they are off. Raises PrerequisiteError without the packages."""
    if not settings.endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - optional
    except ImportError as error:
        raise PrerequisiteError(
            "traces.endpoint is set, and OpenTelemetry is not installed.", "pip install 'sori-event-pipeline[otel]'"
        ) from error
    url = f"{settings.endpoint.rstrip('/')}/v1/traces"
    return Tracing(settings, stage, OTLPSpanExporter(endpoint=url, timeout=_EXPORT_TIMEOUT_S))


class Tracing:
    """Spans of one stage, exported in the background."""

    def __init__(self, settings: TracesSettings, stage: str, exporter: SpanExporter) -> None:
        from opentelemetry import trace  # noqa: PLC0415 - imported only where traces are on
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - same
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415 - same
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - same
            TraceContextTextMapPropagator,
        )

        release = version("sori-event-pipeline")
        resource = Resource.create({"service.name": f"sori-{stage}", "service.version": release})
        # a batch has a span only when it holds sampled events, so its own span is always wanted
        ratio = settings.sample_ratio if stage == "ingest" else 1.0
        self._provider = TracerProvider(sampler=ParentBasedTraceIdRatio(ratio), resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("sori", release)
        self._wire = TraceContextTextMapPropagator()
        self._accept = settings.accept_parent
        self._api = trace

    @contextmanager
    def request(self, headers: Mapping[str, str], route: str) -> Iterator[Span]:
        """The span of one webhook request, current while the block runs; goes on with the sender's trace if any."""
        parent = self._wire.extract(headers) if self._accept and TRACEPARENT in headers else None
        attributes = {"http.request.method": "POST", "http.route": route}
        kind = self._api.SpanKind.SERVER
        with self._tracer.start_as_current_span(f"POST {route}", parent, kind, attributes) as span:
            yield span

    def carried(self) -> list[tuple[str, bytes]]:
        """The headers that take the current span along; none when it is not sampled."""
        if not self._api.get_current_span().get_span_context().trace_flags.sampled:
            return []
        found: dict[str, str] = {}
        self._wire.inject(found)
        return [(name, value.encode()) for name, value in found.items()]

    @contextmanager
    def batch(self, name: str, records: Sequence[Carrier], **attributes: Any) -> Iterator[None]:
        """A span of a batch, linked with its sampled events, and one in the trace of each; none without such events."""
        parents = self._parents(records)
        if not parents:
            yield
            return
        links = [self._api.Link(self._api.get_current_span(parent).get_span_context()) for parent, _ in parents]
        attributes = {"messaging.system": "kafka", "messaging.batch.message_count": len(records), **attributes}
        kind = self._api.SpanKind.CONSUMER
        with self._tracer.start_as_current_span(f"{name} batch", None, kind, attributes, links) as span:
            back = [self._api.Link(span.get_span_context())]
            each = [
                self._tracer.start_span(name, parent, kind, {"sori.waited_from_ms": since}, back)
                for parent, since in parents
            ]
            try:
                yield
            except BaseException as error:
                for one in each:
                    one.record_exception(error)
                raise
            finally:
                for one in each:
                    one.end()

    def _parents(self, records: Sequence[Carrier]) -> list[tuple[Context, int]]:
        found: list[tuple[Context, int]] = []
        for record in records:
            carried = {k: v.decode("latin-1") for k, v in record.headers if k in (TRACEPARENT, TRACESTATE) and v}
            if TRACEPARENT in carried:
                context = self._wire.extract(carried)
                if self._api.get_current_span(context).get_span_context().trace_flags.sampled:
                    found.append((context, record.timestamp))
                    if len(found) == _MOST_LINKS:
                        break
        return found

    def close(self) -> None:
        """Send what is waiting, bounded by the exporter's timeout."""
        self._provider.shutdown()
