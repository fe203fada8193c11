"""Puts the parts of one ingress process together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from ssl import SSLContext

import structlog
from prometheus_client import generate_latest

from ingest.admission.admit import AdmissionPolicy
from ingest.admission.endpoint_table import EndpointTable
from ingest.admission.endpoints import describe, load_endpoints, refuse_lost_default
from ingest.admission.limits import AccountLabels
from ingest.admission.prepared_hmac import PREPARED_SCHEMES
from ingest.admission.reading_policy import reading_policy
from ingest.http import tls
from ingest.http.body import BodyReader
from ingest.http.body_budget import BodyBudget
from ingest.http.client_address import parse_networks
from ingest.http.connection import ConnectionLimits, IngestServer
from ingest.http.handler import HandlerLimits, Webhooks
from ingest.http.large_bodies import LargeBodies
from ingest.http.probes import Probes, Readiness
from ingest.http.refusal_log import RefusalLog
from ingest.http.signature_watch import SignatureWatch
from ingest.http.tracing import carrying, traced
from ingest.process.file_limit import FileWatch, affordable_connections, burst_of
from ingest.process.housekeeping import Housekeeper
from ingest.process.metrics import IngestMetrics, bind_gauges
from ingest.process.reload import Reloader
from ingest.process.worker_metrics import WorkerMetrics
from ingest.storage.group_commit import Committer
from ingest.storage.interfaces import Log
from ingest.storage.kafka_writer import KafkaLog
from ingest.storage.spool.async_spool import DiskSpool
from ingest.storage.spool_drain import Drain
from runtime.rate_limit import TokenBuckets
from runtime.telemetry.tracing import open_tracing
from sori import metrics
from sori.settings import Settings
from sori.settings.ingest import IngestSettings
from sori.topics import EVENTS, QUARANTINE

#: How long a large body waits for its turn; with the time to store it, less than SORI's five seconds.
_LARGE_PATIENCE_S = 0.8

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ingress:
    """The parts of one ingress process; nothing runs yet."""

    settings: Settings
    log: Log
    spool: DiskSpool
    committer: Committer
    drain: Drain
    webhooks: Webhooks
    server: IngestServer
    housekeeper: Housekeeper
    tls: SSLContext | None
    worker_metrics: WorkerMetrics | None
    readiness: Readiness
    budget: BodyBudget


@dataclass(frozen=True)
class Source:
    """Where the settings came from, to read their secrets again: how, and from which files."""

    read: Callable[[], Settings]
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class WorkerFolder:
    """One worker among several: its name, and the folder of all their sockets."""

    name: str
    run_dir: Path


def build(
    settings: Settings, spool: DiskSpool, source: Source, place: WorkerFolder | None = None, log: Log | None = None
) -> Ingress:
    """Wire everything; `log` replaces Kafka in tests. Raises ConfigError."""
    ours, prefix = settings.ingest, settings.kafka.topic_prefix
    events_topic, quarantine_topic = EVENTS.name(prefix), QUARANTINE.name(prefix)
    meters = IngestMetrics()
    log = log or KafkaLog(settings.kafka, (events_topic, quarantine_topic))
    committer, rules = _committer(ours, log, spool, meters), _rules(ours, events_topic)
    worker_metrics = None if place is None else WorkerMetrics(place.run_dir, place.name, generate_latest)

    reloaders: list[Reloader] = []

    def readiness() -> Mapping[str, str]:
        if webhooks.draining:
            return {"draining": "shutting down"}
        kept = {one.what: f"what was before stays in force: {one.refused}" for one in reloaders if one.refused}
        return kept if committer.can_store else {"storage": f"Kafka does not acknowledge; {spool.status.full}", **kept}

    budget = BodyBudget(ours.max_buffered_bytes)
    webhooks = _webhooks(settings, rules, committer, budget=budget, probes=Probes(readiness), meters=meters)
    server = IngestServer(webhooks, _connection_limits(ours), meters.protocol_error, meters.connection_evicted)
    context, files = _reloadable(ours, source, webhooks)
    reloaders += files
    announce(rules.table)
    if rules.observe:
        _log.warning("signatures_observed", stored_as="verified=0", remedy="set ingest.signature_mode to enforce")
    ingress = Ingress(
        settings=settings,
        log=log,
        spool=spool,
        committer=committer,
        drain=Drain(log, spool, committer, timeout_s=ours.ack_timeout_s),
        webhooks=webhooks,
        server=server,
        housekeeper=Housekeeper(spool, committer, reloaders, FileWatch(server.make_room)),
        tls=context,
        worker_metrics=worker_metrics,
        readiness=readiness,
        budget=budget,
    )
    _bind_gauges(ingress, reloaders)
    return ingress


def _webhooks(
    settings: Settings,
    rules: AdmissionPolicy,
    committer: Committer,
    *,
    budget: BodyBudget,
    probes: Probes,
    meters: IngestMetrics,
) -> Webhooks:
    """What answers requests: read within the budget, judged by the rules, stored by the committer."""
    ours, proxies = settings.ingest, parse_networks(settings.ingest.trusted_proxies)
    tracing = open_tracing(settings.traces, "ingest")
    return (Webhooks if tracing is None else traced(tracing))(
        rules,
        committer.submit if tracing is None else carrying(committer.submit, tracing),
        _handler_limits(ours),
        bodies=BodyReader(budget, ours.max_body_bytes, ours.body_timeout_s, proxies),
        budget=budget,
        large=LargeBodies(_LARGE_PATIENCE_S),
        probes=probes,
        meters=meters,
        buckets=TokenBuckets(ours.rate_limit_per_s, ours.rate_burst),
        labels=AccountLabels(ours.max_account_labels),
        quarantine_topic=QUARANTINE.name(settings.kafka.topic_prefix),
        refusals=RefusalLog(proxies),
        watch=SignatureWatch(meters),
    )


def _committer(ours: IngestSettings, log: Log, spool: DiskSpool, meters: IngestMetrics) -> Committer:
    return Committer(
        log,
        spool,
        ack_timeout_s=ours.ack_timeout_s,
        deadline_s=ours.deadline_s,
        on_ack=meters.ack_seconds,
        on_spooled=meters.spool_seconds,
    )


def _rules(ours: IngestSettings, events_topic: str) -> AdmissionPolicy:
    return AdmissionPolicy(
        load_endpoints(ours),
        PREPARED_SCHEMES[ours.signature_scheme],
        events_topic,
        int(ours.max_clock_skew_s * 1000),
        ours.max_inflated_bytes,
        observe=ours.signature_mode == "observe",
        reading=reading_policy(ours),
    )


def announce(table: EndpointTable) -> None:
    """Log who may post where; an endpoint without a signature is a warning."""
    for row in describe(table):
        _log.info("endpoint", **row)
    for endpoint in table.unsigned:
        _log.warning(
            "endpoint_unsigned",
            endpoint=endpoint.name,
            path=endpoint.path,
            stored_as="verified=0",
            because="unsigned = true",
        )


def _reloadable(ours: IngestSettings, source: Source, webhooks: Webhooks) -> tuple[SSLContext | None, list[Reloader]]:
    def load_table() -> Sequence[Path]:
        table = load_endpoints(source.read().ingest)
        refuse_lost_default(webhooks.rules.table, table)
        webhooks.rules = replace(webhooks.rules, table=table)
        announce(table)
        return (*source.files, *table.sources)

    reloaders = [Reloader("endpoints", load_table, (*source.files, *webhooks.rules.table.sources))]
    if ours.tls_cert is None or ours.tls_key is None:
        return None, reloaders
    cert, key = ours.tls_cert, ours.tls_key
    context = tls.make_context(cert, key)

    def load_certificate() -> Sequence[Path]:
        tls.load(context, cert, key)
        return cert, key

    reloaders.append(Reloader("certificate", load_certificate, (cert, key)))
    return context, reloaders


def _handler_limits(ours: IngestSettings) -> HandlerLimits:
    return HandlerLimits(
        ours.max_body_bytes,
        ours.max_inflated_bytes,
        ours.max_in_flight,
        ours.quarantine_unsigned,
    )


def _connection_limits(ours: IngestSettings) -> ConnectionLimits:
    most = affordable_connections(ours.max_connections)
    return ConnectionLimits(
        most,
        burst_of(most),
        ours.header_timeout_s,
        ours.keepalive_timeout_s,
        ours.max_header_bytes,
        ours.max_headers,
    )


def _bind_gauges(ingress: Ingress, reloaders: Sequence[Reloader]) -> None:
    spool, committer = ingress.spool, ingress.committer

    def spool_age() -> float:
        oldest = spool.status.oldest_ms
        return 0.0 if oldest is None else max(0.0, time.time() - oldest / 1000)

    bind_gauges(
        {
            metrics.INGEST_IN_FLIGHT: lambda: ingress.webhooks.in_flight,
            metrics.INGEST_CONNECTIONS: lambda: ingress.server.open_connections,
            metrics.INGEST_BODY_BYTES: lambda: ingress.budget.held,
            metrics.INGEST_OLDEST_WAIT: committer.oldest_wait_s,
            metrics.INGEST_SINCE_ACK: committer.since_ack_s,
            metrics.INGEST_DIRECT: lambda: committer.direct,
            metrics.INGEST_SPOOL_EVENTS: lambda: spool.pending,
            metrics.INGEST_SPOOL_BYTES: lambda: spool.status.bytes,
            metrics.INGEST_SPOOL_AGE: spool_age,
            metrics.INGEST_SPOOL_PARKED: lambda: spool.status.parked,
            metrics.INGEST_SPOOL_ROOM: lambda: spool.has_room,
            metrics.INGEST_RELOADS_REFUSED: lambda: sum(bool(one.refused) for one in reloaders),
        }
    )
