"""Runs one subscription's deliveries: feeds its queues, starts what is due, writes down what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from notify import formats
from notify.attempts import attempt_row, count_attempt
from notify.delivery_state import Ledger
from notify.escalations import Escalations
from notify.incident_news import IncidentNews
from notify.mail_sender import MailSender
from notify.queue import DeliveryQueue, Item
from notify.retry_policy import Outcome
from notify.sender import Sender
from notify.subscriber import Fate, Subscriber, SubscriberState
from runtime.kafka.alert_log import AlertLog, Entry
from runtime.telemetry.metrics import counter
from sori import metrics
from sori.alerting.filter import AlertFilter
from sori.alerting.incident import IncidentNotice
from sori.alerting.mail import is_mail
from sori.alerting.subscriptions import Per, Request, Subscription
from sori.errors import StorageUnavailable
from sori.times import iso

_CHUNK = 200
_RETRY_S = 1.0
_log = structlog.get_logger(__name__)


class Worker:
    """One subscriber, in one task: however slow or dead it is, no other one waits for it."""

    def __init__(
        self,
        subscription: Subscription,
        endpoint: Subscriber,
        logs: Mapping[Per, AlertLog],
        sender: Sender,
        ledger: Ledger,
        *,
        mail: MailSender,
        public_url: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.subscription = subscription
        self._public_url = public_url
        self.subscriber = endpoint
        self._logs = logs
        self._sender = sender
        self._mail = mail
        self._ledger = ledger
        self._clock = clock
        self._wake = asyncio.Event()
        self._attempts: set[asyncio.Task[None]] = set()
        self._behind = False
        self._escalations: dict[int, Escalations] = {}  # by the queue's request
        self._incident_news: dict[int, IncidentNews] = {}

    def update(self, subscription: Subscription) -> None:
        """The subscription changed; a new URL starts with a clean record."""
        if subscription.url != self.subscription.url:
            self.subscriber.resume(self._clock())
        self.subscription = subscription
        self._wake.set()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def run(self, saved: SubscriberState | None) -> None:
        """Work until cancelled."""
        try:
            await self._restore(saved)
            while True:
                self._wake.clear()
                await self._do_requests()
                await self._follow_what_is_asked()
                if not self.subscription.paused:
                    await self._feed()
                    self._start()
                await self._wait()
        finally:
            for task in self._attempts:
                task.cancel()
            await asyncio.gather(*self._attempts, return_exceptions=True)

    async def _restore(self, saved: SubscriberState | None) -> None:
        for state, queue in zip(saved.queues if saved else (), self.subscriber.queues, strict=False):
            for waiting in state.waiting:
                entry = await self._entry(queue.per, waiting.partition, waiting.offset)
                if entry is None:
                    counter(metrics.NOTIFY_GONE).inc()
                    continue
                item = self._item(queue, entry)
                item.attempts, item.due_s = waiting.attempts, waiting.due_s
                queue.restore(item)

    async def _follow_what_is_asked(self) -> None:
        """Alerts or incidents, from now on: what was asked for changed, or was never asked before."""
        live = self.subscriber.live
        per = self.subscription.per
        if live is None or live.per == per:
            return
        now_ms = int(self._clock() * 1000)
        try:
            positions = await self._logs[per].positions_at(now_ms)
        except StorageUnavailable as error:
            _log.warning("change_waits_for_kafka", subscription=self.subscription.id, error=str(error))
            self._behind = True
            return
        live.end_here()
        self.subscriber.queues.append(
            DeliveryQueue(positions, live.limit, per=per, since_ms=now_ms if per == "incident" else 0)
        )
        self._save()

    async def _entry(self, per: Per, partition: int, offset: int) -> Entry | None:
        """That record; None when retention took it."""
        while True:
            try:
                entries, _ = await self._logs[per].read(partition, offset, 1)
            except StorageUnavailable as error:
                _log.warning("waiting_alert_unreadable", error=str(error))
                entries = []
            if entries:
                return entries[0] if entries[0].offset == offset else None
            await asyncio.sleep(_RETRY_S)

    def _item(self, queue: DeliveryQueue, entry: Entry) -> Item:
        assert entry.alert is not None  # noqa: S101 - only alerts become items
        now_s = self._clock()
        since_s = now_s if queue.ends is not None else entry.timestamp_ms / 1000
        due_s = now_s
        if self._digests:
            every_s = max(1.0, self.subscription.digest_s)
            due_s = (since_s // every_s + 1) * every_s
        subject = f"{entry.alert.account_id}/{entry.alert.subject}"
        return Item((entry.partition, entry.offset), subject, entry, due_s=due_s, since_s=since_s)

    @property
    def _digests(self) -> bool:
        return is_mail(self.subscription.url) and self.subscription.digest_s > 0

    async def _feed(self) -> None:
        """Give every queue what it has room for. A queue at the end of the log reads nothing and costs nothing."""
        self._behind = False
        for queue in list(self.subscriber.queues):
            for partition in queue.next:
                await self._feed_from(queue, partition)
            if queue.finished:
                self.subscriber.queues.remove(queue)
                if queue.request:
                    self._escalations.pop(queue.request, None)
                    self._incident_news.pop(queue.request, None)
                    _log.info("redelivered", subscription=self.subscription.id, request=queue.request)
                self._save()

    async def _feed_from(self, queue: DeliveryQueue, partition: int) -> None:
        wants, log = self.subscription.wants, self._logs[queue.per]
        while queue.room > 0 and queue.remaining(partition) and queue.next[partition] < log.ends[partition]:
            try:
                entries, after = await log.read(partition, queue.next[partition], _CHUNK)
            except StorageUnavailable as error:
                _log.warning("alerts_unreadable", error=str(error))
                entries, after = [], queue.next[partition]
            if after == queue.next[partition]:
                self._behind = True
                return
            for entry in entries:
                if queue.room <= 0 or not queue.remaining(partition):
                    return
                wanted = self._is_wanted(queue, entry, wants)
                queue.feed(self._item(queue, entry) if wanted else None, (partition, entry.offset))
            queue.next[partition] = max(queue.next[partition], after)

    def _is_wanted(self, queue: DeliveryQueue, entry: Entry, wants: AlertFilter) -> bool:
        """Whether this record is to be sent; takes note of it all the same, since it may get graver."""
        new = queue.ends is not None or not entry.repeated  # a redelivery may start behind the first of them
        if entry.alert is None or not new or entry.timestamp_ms < queue.since_ms:
            return False
        passes = wants.matches(entry.alert)
        if not self.subscription.skips_updates:
            return passes
        if isinstance(entry.alert, IncidentNotice):
            news = self._incident_news.setdefault(queue.request, IncidentNews())
            return news.is_news(entry.alert, passes=passes)
        return self._escalations.setdefault(queue.request, Escalations()).is_news(entry.alert) and passes

    def _start(self) -> None:
        if self._digests:
            if taken := self.subscriber.take_digest(self._clock()):
                self._launch(self._attempt_all(taken))
            return
        for queue, item in self.subscriber.take(self._clock()):
            self._launch(self._attempt(queue, item))

    def _launch(self, attempt: object) -> None:
        task: asyncio.Task[None] = asyncio.create_task(attempt)  # type: ignore[arg-type]
        self._attempts.add(task)
        task.add_done_callback(self._attempts.discard)

    async def _attempt(self, queue: DeliveryQueue, item: Item) -> None:
        subscription, started_s = self.subscription, self._clock()
        entry: Entry = item.message
        assert entry.alert is not None  # noqa: S101 - only alerts become items
        try:
            outcome = await self._send(subscription, entry.alert.message_id, lambda: self._body(subscription, entry))
        except asyncio.CancelledError:
            self.subscriber.abandon(item)
            raise
        self._settle(subscription, queue, item, outcome, started_s)

    async def _attempt_all(self, taken: list[tuple[DeliveryQueue, Item]]) -> None:
        """One message about all of them; what comes of it is noted for each."""
        subscription, started_s = self.subscription, self._clock()
        values = [(item.message.value, iso(item.message.timestamp_ms)) for _, item in taken]
        try:
            outcome = await self._send(subscription, "digest", lambda: formats.digest(values, self._public_url))
        except asyncio.CancelledError:
            for _, item in taken:
                self.subscriber.abandon(item)
            raise
        for queue, item in taken:
            self._settle(subscription, queue, item, outcome, started_s)

    def _body(self, subscription: Subscription, entry: Entry) -> bytes:
        at = iso(entry.timestamp_ms)
        if is_mail(subscription.url):
            return formats.mail_of(entry.value, at, self._public_url)
        return formats.body_of(
            subscription.format,
            entry.value,
            at,
            public_url=self._public_url,
            routing_key=subscription.routing_key,
        )

    def _settle(
        self, subscription: Subscription, queue: DeliveryQueue, item: Item, outcome: Outcome, started_s: float
    ) -> None:
        """Take note of an attempt, write it down and save."""
        entry: Entry = item.message
        assert entry.alert is not None  # noqa: S101 - only alerts become items
        was_disabled = self.subscriber.disabled
        fate = self.subscriber.finish(queue, item, outcome, self._clock())
        if self.subscriber.disabled and not was_disabled:
            _log.warning("subscriber_disabled", subscription=subscription.id, reason=self.subscriber.disabled)
        try:
            self._note(subscription, entry, item, outcome, fate=fate, started_s=started_s)
        except Exception:  # noqa: BLE001 - the attempt is over, written down or not
            _log.exception("attempt_not_recorded", subscription=subscription.id, webhook_id=entry.alert.message_id)
        self._save()
        self._wake.set()

    async def _send(self, subscription: Subscription, message_id: str, body: Callable[[], bytes]) -> Outcome:
        """What the attempt came to. Whatever it raises is a failure like any other, or its slot would stay taken."""
        try:
            if is_mail(subscription.url):
                return await self._mail.attempt(subscription, body())
            return await self._sender.attempt(subscription, message_id, body())
        except Exception:  # noqa: BLE001 - see above
            _log.exception("attempt_failed", subscription=subscription.id, webhook_id=message_id)
            return Outcome(None, "internal")

    def _note(
        self, subscription: Subscription, entry: Entry, item: Item, outcome: Outcome, *, fate: Fate, started_s: float
    ) -> None:
        """Write down and count one attempt."""
        assert entry.alert is not None  # noqa: S101 - only alerts become items
        row = attempt_row(
            subscription,
            entry.alert.message_id,
            outcome,
            fate,
            started_s=started_s,
            alert=entry.alert,
            attempt=item.attempts,
            next_s=item.due_s if fate in {"retry", "held"} else None,
        )
        self._ledger.record(subscription.id, row)
        count_attempt(outcome, fate, self._clock() - entry.timestamp_ms / 1000)

    async def _do_requests(self) -> None:
        for request in self.subscription.requests:
            if request.seq <= self.subscriber.requests_done:
                continue
            try:
                await self._do_request(request)
            except StorageUnavailable as error:
                _log.warning("request_waits_for_kafka", subscription=self.subscription.id, error=str(error))
                self._behind = True
                return
            self.subscriber.requests_done = request.seq
            self._save()

    async def _do_request(self, request: Request) -> None:
        if request.kind == "resume":
            self.subscriber.resume(self._clock())
        elif request.kind == "test":
            self._launch(self._test(f"msg_test_{self.subscription.id}_{request.seq}"))
        else:
            per = self.subscription.per
            queue = DeliveryQueue(
                await self._logs[per].positions_at(request.since_ms),
                self.subscriber.queues[0].limit,
                await self._logs[per].positions_at(request.until_ms),
                request.seq,
                per,
            )
            self.subscriber.queues.append(queue)

    def _test_body(self, subscription: Subscription, message_id: str, now_s: float) -> bytes:
        if is_mail(subscription.url):
            return formats.test_mail(message_id, now_s)
        return formats.test_body(subscription.format, message_id, now_s, subscription.routing_key)

    async def _test(self, message_id: str) -> None:
        """One attempt, also while paused or disabled; it says nothing about the subscriber's health."""
        subscription, started_s = self.subscription, self._clock()
        outcome = await self._send(
            subscription,
            message_id,
            lambda: self._test_body(subscription, message_id, started_s),
        )
        fate: Fate = "delivered" if outcome.kind == "delivered" else "exhausted"
        self._ledger.record(subscription.id, attempt_row(subscription, message_id, outcome, fate, started_s=started_s))

    def _save(self) -> None:
        self._ledger.mark(self.subscription.id, self.subscriber.state)

    async def _wait(self) -> None:
        now_s = self._clock()
        wake_s = None if self.subscription.paused else self.subscriber.wake_at_s(now_s)
        if self._behind:
            wake_s = min(wake_s or now_s + _RETRY_S, now_s + _RETRY_S)
        timeout_s = None if wake_s is None else max(0.0, wake_s - now_s)
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return
