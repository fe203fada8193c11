"""`sori ingest`: the process, from its settings to a clean end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from prometheus_client import generate_latest

from ingest.admission import Rules
from ingest.client_address import parse_networks
from ingest.committer import Committer
from ingest.drain import Drain
from ingest.endpoints import EndpointTable, describe, load_endpoints
from ingest.gate import AccountLabels, TokenBuckets
from ingest.handler import HandlerLimits, Webhooks
from ingest.kafka_log import KafkaLog
from ingest.meters import Meters
from ingest.probes import Probes
from ingest.protocol import ConnectionLimits, IngestServer
from ingest.refusal_log import RefusalLog
from ingest.storing import NoSpool, Spool
from runtime.signals import stop_event
from sori.errors import PrerequisiteError
from sori.settings import Settings
from sori.signature import SCHEMES
from sori.topics import EVENTS, QUARANTINE

#: How long the start waits for Kafka before it serves from the spool.
_FIRST_CONNECT_S = 2.0

_logger = structlog.get_logger()


@dataclass
class Ingress:
    """The parts of one ingress process."""

    settings: Settings
    log: KafkaLog
    spool: Spool
    committer: Committer
    drain: Drain
    webhooks: Webhooks
    server: IngestServer

    def replace_endpoints(self, table: EndpointTable) -> None:
        """Put another endpoint table in force, between two requests."""
        self.webhooks.rules = replace(self.webhooks.rules, table=table)


def build(settings: Settings, spool: Spool) -> Ingress:
    """Wire everything; nothing runs yet. Raises ConfigError."""
    ours, prefix = settings.ingest, settings.kafka.topic_prefix
    events_topic, quarantine_topic = EVENTS.name(prefix), QUARANTINE.name(prefix)
    table = load_endpoints(ours)
    meters = Meters()
    log = KafkaLog(settings.kafka, (events_topic, quarantine_topic))
    committer = Committer(
        log, spool, ack_timeout_s=ours.ack_timeout_s, deadline_s=ours.deadline_s, on_ack=meters.ack_seconds
    )
    rules = Rules(table, SCHEMES[ours.signature_scheme], events_topic, int(ours.max_clock_skew_s * 1000))
    limits = HandlerLimits(
        ours.max_body_bytes,
        ours.max_inflated_bytes,
        ours.body_timeout_s,
        ours.max_in_flight,
        ours.quarantine_unsigned,
    )

    def readiness() -> Mapping[str, str]:
        if webhooks.draining:
            return {"draining": "shutting down"}
        return {} if committer.can_store else {"storage": "Kafka does not acknowledge and the spool takes no more"}

    webhooks = Webhooks(
        rules,
        committer.submit,
        limits,
        probes=Probes(readiness, generate_latest),
        meters=meters,
        buckets=TokenBuckets(ours.rate_limit_per_s, ours.rate_burst),
        labels=AccountLabels(ours.max_account_labels),
        quarantine_topic=quarantine_topic,
        refusals=RefusalLog(parse_networks(ours.trusted_proxies)),
    )
    connection_limits = ConnectionLimits(
        ours.max_connections, ours.header_timeout_s, ours.keepalive_timeout_s, ours.max_header_bytes, ours.max_headers
    )
    server = IngestServer(webhooks, connection_limits, meters.protocol_error)
    return Ingress(
        settings, log, spool, committer, Drain(log, spool, committer, timeout_s=ours.ack_timeout_s), webhooks, server
    )


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then drain. Raises ConfigError, or PrerequisiteError when the port is taken."""
    ingress = build(settings, NoSpool())
    table = ingress.webhooks.rules.table
    for row in describe(table):
        _logger.info("endpoint", **row)
    for endpoint in table.unsigned:
        _logger.warning("endpoint_unsigned", endpoint=endpoint.name, path=endpoint.path, stored_as="verified=0")
    with stop_event() as stop:
        await run(ingress, stop.wait)


async def run(ingress: Ingress, until: Callable[[], Awaitable[object]]) -> None:
    """Serve until `until` returns, then drain: unready, finish what is in flight, flush."""
    ours = ingress.settings.ingest
    workers = [asyncio.create_task(part.run()) for part in (ingress.committer, ingress.drain)]
    try:
        await _first_connect(ingress.committer)
        listener = await _listen(ingress)
        address, port = listener.sockets[0].getsockname()[:2]
        _logger.info("listening", host=address, port=port, kafka=ingress.committer.direct)
        await _until_or_failure(until, workers)
        ingress.webhooks.draining = True
        listener.close()
        ingress.server.pre_shutdown()
        await ingress.server.shutdown(ours.drain_s)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await ingress.log.close()
    _logger.info("stopped", spooled=ingress.spool.pending)


async def _until_or_failure(until: Callable[[], Awaitable[object]], workers: list[asyncio.Task[None]]) -> None:
    """Return when asked to stop; raise what ended a worker, for without it nothing is stored."""
    stopping = asyncio.ensure_future(until())
    try:
        await asyncio.wait([stopping, *workers], return_when=asyncio.FIRST_COMPLETED)
        for task in workers:
            if task.done():
                task.result()
    finally:
        stopping.cancel()


async def _first_connect(committer: Committer) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_CONNECT_S):
            await committer.went_direct.wait()


async def _listen(ingress: Ingress) -> asyncio.Server:
    ours = ingress.settings.ingest
    try:
        return await asyncio.get_running_loop().create_server(
            ingress.server,
            ours.host,
            ours.port,
            family=socket.AF_UNSPEC,
            backlog=1024,
            reuse_port=ours.workers > 1 or None,
        )
    except OSError as error:
        raise PrerequisiteError(
            f"Cannot listen on {ours.host}:{ours.port}: {error.strerror}.",
            "Free the port or choose another with --port (SORI_INGEST__PORT).",
        ) from error
