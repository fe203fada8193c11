"""Wires the stream stage: Faust with our transport, the worker that counts and judges, an agent for each hop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Mapping

import faust
from faust.types import TP

from runtime.telemetry.tracing import open_tracing
from sori.settings import Settings
from sori.topics import EVENTS, GEO_ROLLUPS, MOST_BYTES
from streams.alerts.allowances import VerdictHistory
from streams.kafka.batches import Batch, BatchSchema
from streams.kafka.calls import send_outputs
from streams.kafka.credentials import faust_credentials
from streams.kafka.logs import Logs
from streams.kafka.no_tables import NoTables
from streams.kafka.patience import Patience
from streams.kafka.state_topic import StateTopic
from streams.kafka.verdict_log import VerdictLog
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.rules import registry
from streams.stand_by import standby_of
from streams.state.checkpoint import Checkpoint
from streams.state.continuation import Counting
from streams.state.fingerprint import fingerprint
from streams.state.output import Output
from streams.state.policy import TimePolicy
from streams.worker.partition import Hop
from streams.worker.snapshots import Snapshots
from streams.worker.standby import Standby
from streams.worker.tracing import traced
from streams.worker.worker import StreamWorker

#: Batches an agent may have waiting; each has up to `fetched.MAX_RECORDS` records.
_BUFFERED_BATCHES = 4
_MAX_POLL_RECORDS = 10_000
#: Partitions that are added are read from so soon; Faust would look every five minutes, and alerts came as late.
_TOPIC_CHECK_MS = 10_000


class StreamApp(faust.App):
    """A Faust application that knows its checkpointer (see transport)."""

    checkpointer: StreamWorker
    logs: Logs
    #: Whether there is no point in waiting for Kafka any more.
    giving_up: Callable[[], bool]
    #: Where snapshots are kept; None: they are off.
    state_topic: StateTopic | None = None
    verdicts: VerdictLog
    #: Until this process takes another one's place.
    standby: Standby | None = None


def hops(settings: Settings, verdicts: VerdictHistory | None = None) -> list[Hop]:
    """Both hops with the settings in force and what analysts allow. Raises ConfigError where times do not fit."""
    streams, rules, prefix = settings.streams, settings.rules, settings.kafka.topic_prefix
    policy, places = TimePolicy.of(streams), TimePolicy.of_places(streams)
    made = [
        Hop(
            "device",
            EVENTS.name(prefix),
            lambda part, resume: DeviceOperator(part, policy, rules, resume, verdicts),
            Counting(fingerprint(policy.parts(), rules, registry.DEVICE_RULES), policy, policy.lateness_ms),
        ),
        Hop(
            "place",
            GEO_ROLLUPS.name(prefix),
            lambda part, resume: PlaceOperator(part, places, rules, resume, verdicts),
            Counting(fingerprint(places.parts(), rules, registry.ROLL_UP_RULES), places, policy.lateness_ms),
            at_once=1,  # each may be dozens of rows, all of which are judged
        ),
    ]
    for hop in made:
        hop.make(0, None)
    return made


def counting(of: Iterable[Hop]) -> dict[str, Counting]:
    """How each topic is counted."""
    return {hop.topic: hop.counting for hop in of if hop.counting is not None}


def build_app(settings: Settings, scratch: str) -> StreamApp:
    """The Faust application: one agent per hop, batches in, flushes out. `scratch` is a folder Faust insists on."""
    app = _faust(settings, scratch)
    app.logs = Logs(settings, counting(hops(settings)))
    app.giving_up = lambda: bool(app.crashed)
    if settings.streams.snapshots:
        app.state_topic = StateTopic(settings)
    app.verdicts = VerdictLog(settings.kafka)
    app.checkpointer = _worker(app, settings)
    app.verdicts.changed = app.checkpointer.owes_alert.set
    if settings.streams.standby:
        app.standby = standby_of(app.checkpointer.keeper, hops(settings, app.verdicts.history), app.logs)
    _add_agents(app, settings)
    return app


def _faust(settings: Settings, scratch: str) -> StreamApp:
    """Faust with our transport, without what we do not use of it: tables, web, topics made by it."""
    streams, kafka = settings.streams, settings.kafka
    return StreamApp(
        streams.group,
        broker=";".join(f"sori-batch://{server.strip()}" for server in kafka.bootstrap.split(",")),
        broker_credentials=faust_credentials(kafka),
        datadir=scratch,
        store="memory://",
        TableManager=NoTables,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_max_poll_records=_MAX_POLL_RECORDS,
        broker_session_timeout=streams.session_timeout_s,
        broker_heartbeat_interval=streams.session_timeout_s / 5,
        broker_request_timeout=max(kafka.request_timeout_s, streams.session_timeout_s + 1),
        broker_commit_interval=streams.flush_interval_s,
        consumer_max_fetch_size=streams.fetch_bytes,
        consumer_group_instance_id=streams.instance_id or None,
        consumer_metadata_max_age_ms=_TOPIC_CHECK_MS,
        stream_buffer_maxsize=_BUFFERED_BATCHES,
        stream_recovery_delay=0.0,
        producer_compression_type="lz4",
        producer_max_request_size=MOST_BYTES,
        producer_linger=0.002,
    )


def _worker(app: StreamApp, settings: Settings) -> StreamWorker:
    """What counts and judges: it sends through the application's producer, and waits for Kafka as long as we may."""
    streams, kafka, logs, verdicts = settings.streams, settings.kafka, app.logs, app.verdicts

    async def send(outputs: list[Output]) -> None:
        await send_outputs(app, kafka.topic_prefix, outputs, patience)

    async def committed(tps: Iterable[TP]) -> Mapping[TP, Checkpoint]:
        await verdicts.reach_end()  # commits name positions of their log
        return await logs.committed(tps)

    worker = StreamWorker(
        hops(settings, verdicts.history),
        send,
        committed,
        fetch_wait_ms=streams.fetch_wait_ms,
        idle_after_s=streams.idle_after_s,
        logs=logs,
        snapshots=Snapshots(app.state_topic, streams.group, streams.snapshot_interval_s) if app.state_topic else None,
        verdicts=verdicts.history,
    )
    patience = Patience(kafka.request_timeout_s * 3, streams.outage_s, worker.note_outage, lambda: app.giving_up())  # noqa: PLW0108 - set anew later
    return worker


def _add_agents(app: StreamApp, settings: Settings) -> None:
    """One agent per hop; it hands each batch to the worker in slices, and lets others run between them."""
    worker, tracing = app.checkpointer, open_tracing(settings.traces, "streams")
    slices = worker.slices if tracing is None else traced(worker.slices, tracing)

    async def agent(stream: AsyncIterable[Batch]) -> None:
        async for batch in stream:
            try:
                await worker.flowing.wait()
                for _ in slices(batch):
                    await asyncio.sleep(0)
                    await worker.flowing.wait()
            except Exception as error:
                # Faust would restart the agent and go on with the next batch: a hole in the state.
                await app.crash(error)
                raise

    for hop in hops(settings):
        app.agent(app.topic(hop.topic, schema=BatchSchema()), name=f"sori.{hop.name}")(agent)
