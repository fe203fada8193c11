"""Runs the Faust application until told to stop."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import nullcontext, suppress

import structlog

from runtime.http import admin_server
from runtime.kafka.clients import bounded
from sori.errors import SnapshotRefused, StorageUnavailable
from sori.settings import Settings
from streams.kafka.calls import wait_for_topics
from streams.kafka.membership import say_left
from streams.stand_by import stand_by
from streams.wiring import StreamApp, build_app
from streams.worker import metrics
from streams.worker.gc_tuning import spare_state
from streams.worker.partition import replay_progress
from streams.worker.watchdog import Watchdog
from streams.worker.worker import StreamWorker

_log = structlog.get_logger(__name__)

#: After a flush passes this many times what it took before an alert brings about the next one.
_REST_PER_FLUSH = 5
#: How long a note that the worker leaves may take.
_SAY_LEFT_S = 2.0
#: Between two looks for a partition of which a snapshot is due.
_LOOK_S = 0.2
#: After a piece of what a snapshot left for later, so many times what it took.
_REST_PER_PIECE = 3
#: How long the commit may take with which a worker ends whose snapshot is of no use.
_DISOWN_S = 5.0


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
        putting_back = asyncio.create_task(_put_back(app, worker), name="put back")
        try:
            await app.start()
            failed = await _flush_until(app, settings.streams.flush_interval_s, stop)
            if not failed:
                await worker.before_revoke()
        finally:
            keeping.cancel()
            putting_back.cancel()
            await _disown_refused(app)
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


async def _put_back(app: StreamApp, worker: StreamWorker) -> None:
    """What snapshots left for later, beside what comes in: that takes three quarters of the time."""
    while True:
        began = time.monotonic()
        try:
            left = worker.put_back_next()
        except SnapshotRefused as error:
            await app.crash(error)
            return
        await asyncio.sleep(_REST_PER_PIECE * (time.monotonic() - began) if left else _LOOK_S)


async def _disown_refused(app: StreamApp) -> None:
    """Before a worker ends that found a snapshot to be of no use when it looked into it: else the next one loads it."""
    refused = app.checkpointer.disowned()
    for tp, error in refused.items():
        metrics.snapshots.labels(tp.topic, "refused").inc()
        _log.error("snapshot_refused", topic=tp.topic, partition=tp.partition, error=str(error))
    if refused:
        with suppress(StorageUnavailable):
            await bounded(app.consumer.commit(), _DISOWN_S, "the commit without a snapshot")


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
    except SnapshotRefused:
        return True
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
