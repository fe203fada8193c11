"""Builds the Faust application and runs it until told to stop."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from contextlib import nullcontext, suppress

import faust
import structlog
from faust.types import TP

from runtime.http import admin_server
from runtime.kafka.clients import bounded
from runtime.telemetry.tracing import open_tracing
from sori.errors import StorageUnavailable
from sori.settings import Settings
from sori.topics import EVENTS, GEO_ROLLUPS, MOST_BYTES
from streams.alerts.allowances import VerdictHistory
from streams.kafka.batches import Batch, BatchSchema
from streams.kafka.calls import send_outputs, wait_for_topics
from streams.kafka.credentials import faust_credentials
from streams.kafka.logs import Logs
from streams.kafka.membership import say_left
from streams.kafka.no_tables import NoTables
from streams.kafka.patience import Patience
from streams.kafka.state_topic import StateTopic
from streams.kafka.verdict_log import VerdictLog
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.rules import registry
from streams.stand_by import stand_by, standby_of
from streams.state.checkpoint import Checkpoint
from streams.state.continuation import Counting
from streams.state.fingerprint import fingerprint
from streams.state.output import Output
from streams.state.policy import TimePolicy
from streams.worker import metrics
from streams.worker.gc_tuning import spare_state
from streams.worker.partition import Hop, replay_progress
from streams.worker.snapshots import Snapshots
from streams.worker.standby import Standby
from streams.worker.tracing import traced
from streams.worker.watchdog import Watchdog
from streams.worker.worker import StreamWorker

_log = structlog.get_logger(__name__)

#: Batches an agent may have waiting; each has up to `fetched.MAX_RECORDS` records.
_BUFFERED_BATCHES = 4
_MAX_POLL_RECORDS = 10_000
#: Partitions that are added are read from so soon; Faust would look every five minutes, and alerts came as late.
_TOPIC_CHECK_MS = 10_000
#: After a flush passes this many times what it took before an alert brings about the next one.
_REST_PER_FLUSH = 5
#: How long a note that the worker leaves may take.
_SAY_LEFT_S = 2.0
#: Between two looks for a partition of which a snapshot is due.
_LOOK_S = 0.2


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


async def run(settings: Settings, stop: asyncio.Event) -> int:
    """Run until `stop` is set or the application crashes; returns the exit code.

    A stop flushes and commits, so that the next start replays nothing it need not.
    """
    await wait_for_topics(settings, stop)
    if stop.is_set():
        return 0
    spare_state()
    with tempfile.TemporaryDirectory(prefix="sori-streams-") as scratch:
        return await _run_app(build_app(settings, scratch), settings, stop)


async def _run_app(app: StreamApp, settings: Settings, stop: asyncio.Event) -> int:
    worker = app.checkpointer
    app.giving_up = lambda: stop.is_set() or bool(app.crashed)
    watchdog = Watchdog(lambda: worker.oldest_unflushed, settings.streams.stall_timeout_s)

    async def readiness() -> dict[str, str]:
        if app.standby is not None:
            return app.standby.missing()
        missing = {} if worker.positions() else {"assignment": "no partitions assigned"}
        missing |= replay_progress(worker.replaying().values())
        return missing if watchdog.healthy else {**missing, "progress": f"nothing committed for {watchdog.age_s:.0f} s"}

    state_topic = nullcontext() if app.state_topic is None else app.state_topic.running()
    async with (
        admin_server(settings.streams.admin_host, settings.streams.admin_port, readiness),
        state_topic,
        app.verdicts.running(),
    ):
        if app.standby is not None and app.state_topic is not None:
            if not await stand_by(app.standby, settings, app.state_topic, app.verdicts, stop):
                return 0
            app.standby = None
        watchdog.start()
        keeping = asyncio.create_task(_keep_snapshots(worker), name="snapshots")
        try:
            await app.start()
            failed = await _flush_until(app, settings.streams.flush_interval_s, stop)
            if not failed:
                await worker.before_revoke()
        finally:
            keeping.cancel()
            await _stop_app(app)
            watchdog.stop()
        if not failed:
            await _say_left(app, settings)
    _log.info("stopped", failed=failed)
    return 1 if failed else 0


async def _say_left(app: StreamApp, settings: Settings) -> None:
    """To whoever waits to take our place; what that one would find out without it, seconds later."""
    if app.state_topic is not None and settings.streams.instance_id:
        with suppress(StorageUnavailable):
            await bounded(say_left(app.state_topic, settings), _SAY_LEFT_S, "the note of leaving")


async def _keep_snapshots(worker: StreamWorker) -> None:
    """Beside the flushes, so that none of them waits for a snapshot."""
    while worker.keeper is not None:
        await asyncio.sleep(_LOOK_S)
        await worker.keeper.save_next()
        await worker.keeper.store_taken()


async def _flush_until(app: StreamApp, interval_s: float, stop: asyncio.Event) -> bool:
    """Flush and commit every `interval_s`, and at once when an alert opened. Returns whether the application failed.

    Where alerts open without end, flushes take a part of the time only: each one emits all that changed so far.
    """
    worker = app.checkpointer
    stopping = asyncio.ensure_future(stop.wait())
    crashed = asyncio.ensure_future(app.wait_until_stopped())
    replaced = asyncio.ensure_future(app.logs.until_replaced())
    try:
        while not (stop.is_set() or app.crashed or crashed.done()):
            rest_s = min(worker.flush_took_s * _REST_PER_FLUSH, interval_s)
            await asyncio.wait({stopping, crashed}, timeout=rest_s, return_when=asyncio.FIRST_COMPLETED)
            alert = asyncio.ensure_future(worker.owes_alert.wait())
            await asyncio.wait(
                {stopping, crashed, alert}, timeout=interval_s - rest_s, return_when=asyncio.FIRST_COMPLETED
            )
            alert.cancel()
            if replaced.done():
                await app.crash(replaced.result())
                break
            await worker.flush()
            await worker.tick(app.monitor.tp_end_offsets.get)
            if worker.flush_points():
                await app.consumer.commit()
            _observe(app)
    except StorageUnavailable as error:
        _log.exception("flush_failed", hint="ending: what was owed is computed again", error=str(error))
        return True
    finally:
        stopping.cancel()
        crashed.cancel()
        replaced.cancel()
    if app.crashed:
        _log.error("application_failed", error=repr(app.crash_reason))
    return bool(app.crashed) or not stop.is_set()


def _observe(app: StreamApp) -> None:
    replaying = app.checkpointer.replaying()
    metrics.replay_left.clear()  # of partitions that went, too
    for tp in app.checkpointer.positions():
        metrics.replay_left.labels(tp.topic, str(tp.partition)).set(replaying.get(tp, (0, 0))[0])
    metrics.rewind.clear()
    for tp, records in app.checkpointer.rewinds().items():
        metrics.rewind.labels(tp.topic, str(tp.partition)).set(records)
    for hop, live in app.checkpointer.live_panes().items():
        metrics.panes.labels(hop).set(live)
    for tp, position in app.checkpointer.positions().items():
        end = app.monitor.tp_end_offsets.get(tp)  # as of the last fetch: asking aiokafka fails while rebalancing
        if end is not None:
            metrics.lag.labels(tp.topic, str(tp.partition)).set(max(0, end - position))


async def _stop_app(app: StreamApp) -> None:
    """Stop Faust; it may hang where its broker is gone, and there is nothing left to save by then."""
    try:
        await asyncio.wait_for(app.stop(), timeout=10.0)
    except (TimeoutError, Exception) as error:  # noqa: BLE001 - a failed stop must not hide why we stop
        _log.warning("faust_stop_failed", error=repr(error))
