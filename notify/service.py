"""`sori notify`: one worker per subscription, over one tail of the alerts topic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

import structlog

from notify.delivery_state import Ledger
from notify.guarded_connector import open_session
from notify.incidents.book import IncidentPolicy
from notify.incidents.step import IncidentStep
from notify.mail_sender import MailSender
from notify.queue import DeliveryQueue
from notify.retry_policy import Policy
from notify.sender import Sender
from notify.subscriber import Subscriber, SubscriberState
from notify.worker import Worker
from runtime.kafka import clients
from runtime.kafka.alert_log import AlertLog
from runtime.kafka.compacted_table import CompactedTable
from runtime.telemetry.metrics import announce, gauge
from sori import metrics
from sori.alerting.incident import parse_notice
from sori.alerting.subscriptions import Per, Subscription, decode
from sori.errors import ConfigError
from sori.settings import Settings
from sori.topics import INCIDENTS, SUBSCRIPTIONS

_OBSERVE_S = 5.0
_RESTART_S = 10.0
#: Threads for DNS: so many names may hang at a time before one more waits.
_RESOLVERS = 64
_log = structlog.get_logger(__name__)


class NotifyService:
    """Delivers alerts. One process at a time should run it; two would deliver twice, with the same webhook-ids."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        notify = settings.notify
        self._policy = Policy(
            notify.retry_delays_s,
            notify.disable_after_s,
            notify.pause_max_s,
            notify.retry_after_max_s,
            notify.concurrency,
        )
        self._mail = MailSender(notify)
        policy = IncidentPolicy(gap_ms=int(notify.incident_gap_s * 1000))
        self._incidents = IncidentStep(settings.kafka, notify.incident_group, policy)
        self._workers: dict[str, Worker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._trouble = "starting"
        self._changed: asyncio.Queue[tuple[str, bytes | None]] = asyncio.Queue()

    async def readiness(self) -> Mapping[str, str]:
        """Why nothing can be delivered now, by part; empty when all is well."""
        if self._trouble:
            return {"notify": self._trouble}
        troubles = {"kafka": self._ledger.trouble, "incidents": self._incidents.trouble}
        return {name: trouble for name, trouble in troubles.items() if trouble}

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`. Raises StorageUnavailable when Kafka does not answer at the start."""
        announce("notify")
        kafka, notify = self._settings.kafka, self._settings.notify
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve"))
        self._logs: dict[Per, AlertLog] = {
            "alert": AlertLog(kafka),
            "incident": AlertLog(kafka, INCIDENTS, parse_notice),
        }
        subscriptions = self._subscriptions = CompactedTable(kafka, SUBSCRIPTIONS)
        producer = clients.make_producer(kafka)
        self._ledger = Ledger(kafka, producer, notify.save_interval_s)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(clients.running(producer, kafka.request_timeout_s, "attempts"))
            for log in self._logs.values():
                await stack.enter_async_context(log.running())
            await stack.enter_async_context(self._ledger.table.running())
            await stack.enter_async_context(subscriptions.running())
            session = await stack.enter_async_context(open_session(notify))
            self._sender = Sender(session, allow_http=notify.allow_http, allowed=notify.allowed)
            for log in self._logs.values():
                log.listen(lambda _entries: self._wake_all())
            subscriptions.listen(lambda key, value: self._changed.put_nowait((key, value)))
            for key, value in list(subscriptions.values.items()):
                await self._apply(key, value)
            self._forget_removed(subscriptions)
            self._trouble = ""
            _log.info("notify_running", subscriptions=len(self._workers))
            try:
                await self._work(stop)
            finally:
                await self._end()

    async def _work(self, stop: asyncio.Event) -> None:
        parts = [
            asyncio.create_task(coroutine, name=name)
            for name, coroutine in (
                ("stop", stop.wait()),
                ("ledger", self._ledger.run()),
                ("changes", self._follow_changes()),
                ("observe", self._observe()),
                ("incidents", self._incidents.run()),
            )
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in parts:
                task.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _follow_changes(self) -> None:
        while True:
            key, value = await self._changed.get()
            await self._apply(key, value)

    async def _apply(self, key: str, value: bytes | None) -> None:
        try:
            subscription = None if value is None else decode(value)
        except ConfigError as error:
            _log.error("subscription_unreadable", subscription=key, error=str(error))
            return
        if subscription is None:
            await self._remove(key)
        elif key in self._workers:
            self._workers[key].update(subscription)
        else:
            await self._add(subscription)

    async def _add(self, subscription: Subscription) -> None:
        saved = self._ledger.load(subscription.id)
        if saved is None:
            created_ms, per = subscription.created_ms, subscription.per
            positions = await self._logs[per].positions_at(created_ms)
            # incidents of a past that is still being caught up with are written now, and are no news
            since_ms = created_ms if per == "incident" else 0
            live = DeliveryQueue(positions, self._settings.notify.window, per=per, since_ms=since_ms)
            endpoint = Subscriber(self._policy, [live])
        else:
            endpoint = self._endpoint(saved)
        worker = Worker(
            subscription,
            endpoint,
            self._logs,
            self._sender,
            self._ledger,
            mail=self._mail,
            public_url=self._settings.api.public_url,
        )
        self._workers[subscription.id] = worker
        task = asyncio.create_task(worker.run(saved), name=subscription.id)
        task.add_done_callback(self._worker_ended)
        self._tasks[subscription.id] = task
        if saved is None:
            self._ledger.mark(subscription.id, endpoint.state)

    def _endpoint(self, saved: SubscriberState) -> Subscriber:
        window = self._settings.notify.window
        queues = [DeliveryQueue(dict(s.next), window, s.ends, s.request, s.per, s.since_ms) for s in saved.queues]
        return Subscriber(
            policy=self._policy,
            queues=queues,
            disabled=saved.disabled,
            failing_since_s=saved.failing_since_s,
            failures=saved.failures,
            not_before_s=saved.not_before_s,
            requests_done=saved.requests_done,
            last_success_s=saved.last_success_s,
        )

    async def _remove(self, key: str) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for spec in (metrics.NOTIFY_QUEUE_SECONDS, metrics.NOTIFY_QUEUE_ALERTS):
                gauge(spec).labels(key)
                gauge(spec).remove(key)
        self._workers.pop(key, None)
        self._ledger.mark(key, None)

    def _forget_removed(self, subscriptions: CompactedTable) -> None:
        """States of subscriptions that were removed while nobody was running."""
        for key in self._ledger.table.values.keys() - subscriptions.values.keys():
            self._ledger.mark(key, None)

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        """A worker that fails shows a bug of ours: say so, and start it again from its saved state."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        key = task.get_name()
        _log.error("worker_restarted", subscription=key, exc_info=error)
        self._tasks.pop(key, None)
        self._workers.pop(key, None)
        value = self._subscriptions.values.get(key)
        asyncio.get_running_loop().call_later(_RESTART_S, self._changed.put_nowait, (key, value))

    def _wake_all(self) -> None:
        for worker in self._workers.values():
            worker.wake()

    async def _observe(self) -> None:
        while True:
            conditions = {"delivering": 0, "failing": 0, "disabled": 0, "paused": 0}
            now_s = time.time()
            for key, worker in self._workers.items():
                conditions[_condition(worker)] += 1
                oldest_s = worker.subscriber.oldest_s
                age_s = 0.0 if oldest_s is None else max(0.0, now_s - oldest_s)
                gauge(metrics.NOTIFY_QUEUE_SECONDS).labels(key).set(age_s)
                gauge(metrics.NOTIFY_QUEUE_ALERTS).labels(key).set(worker.subscriber.waiting)
            for condition, count in conditions.items():
                gauge(metrics.NOTIFY_SUBSCRIPTIONS).labels(condition).set(count)
            await asyncio.sleep(_OBSERVE_S)

    async def _end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._ledger.flush()


def _condition(worker: Worker) -> str:
    if worker.subscription.paused:
        return "paused"
    if worker.subscriber.disabled:
        return "disabled"
    return "failing" if worker.subscriber.failing_since_s is not None else "delivering"
