"""Webhooks with a span each, used instead of Webhooks when traces are on: the plain path knows nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from ingest.admission.endpoint_table import Endpoint
from ingest.admission.outcomes import Outcome
from ingest.admission.record import Record
from ingest.http.handler import Webhooks
from runtime.telemetry.tracing import Tracing

Submit = Callable[[Record], asyncio.Future[Outcome]]


def carrying(submit: Submit, tracing: Tracing) -> Submit:
    """`submit` for records that take the current trace along, as headers after those of every record."""

    def submit_traced(record: Record) -> asyncio.Future[Outcome]:
        carried = tracing.carried()
        return submit(record._replace(headers=[*record.headers, *carried]) if carried else record)

    return submit_traced


def traced(tracing: Tracing) -> type[Webhooks]:
    """The class of webhooks whose deliveries are spans."""

    class TracedWebhooks(Webhooks):
        async def _deliver(self, request: web.BaseRequest, endpoint: Endpoint, *, close: bool) -> web.StreamResponse:
            with tracing.request(request.headers, endpoint.path) as span:
                answer = await super()._deliver(request, endpoint, close=close)
                span.set_attribute("http.response.status_code", answer.status)
                return answer

    return TracedWebhooks
