"""A collector of OpenTelemetry traces: OTLP over HTTP in, spans out."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from runtime.http import serve


@dataclass(frozen=True)
class Seen:
    """One span as it came in; identifiers in hexadecimal."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    links: frozenset[tuple[str, str]]
    attributes: dict[str, str | int]


@dataclass
class Collector:
    """Every span so far."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)

    def of(self, service: str, name: str) -> list[Seen]:
        """Spans of a service whose name begins like this."""
        return [span for span in self.spans if span.service == service and span.name.startswith(name)]

    async def take(self, request: web.Request) -> web.Response:
        """POST /v1/traces."""
        body = await request.read()
        body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_seen(named["service.name"], span) for span in scope.spans]
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


def _seen(service: str, span: Any) -> Seen:
    links = frozenset((link.trace_id.hex(), link.span_id.hex()) for link in span.links)
    attributes = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    return Seen(service, span.name, *ids, links, attributes)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with serve(app, "127.0.0.1", 0) as port:
        collector.url = f"http://127.0.0.1:{port}"
        yield collector
