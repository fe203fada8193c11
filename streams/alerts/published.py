"""Alerts as they stand published, against the episodes that a state knows: used where the two may differ. Pure.

State that was rebuilt under other rules, or could not be rebuilt, may not know an alert that is open, and may know one
that nobody was told of. The first is closed, the second is announced; each alert opens before it is updated or closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from sori.alerting.alert import ENDED
from sori.topics import FRAUD_ALERTS
from streams.alerts.episodes import EpisodeBook
from streams.alerts.record import alert_id, version
from streams.state.output import Output

#: Header of an alert's record: which hop and partition tells it.
SOURCE = "source"

#: Newest state of alerts, by id.
Alerts = dict[str, dict[str, Any]]


def name_source(outputs: Sequence[Output], hop: str, partition: int) -> list[Output]:
    """Have each alert say who tells it, so that whoever takes over knows which are his."""
    header = (SOURCE, f"{hop}/{partition}".encode())
    return [
        replace(output, headers=(*output.headers, header)) if output.topic is FRAUD_ALERTS else output
        for output in outputs
    ]


def newest_alerts(records: Iterable[tuple[Sequence[tuple[str, bytes]], bytes | None]]) -> dict[str, Alerts]:
    """From headers and values of alerts' records: the newest state of each, by who tells it."""
    newest: dict[str, Alerts] = {}
    for headers, value in records:
        source = next((found for name, found in headers if name == SOURCE), None)
        if source is None or not value:
            continue
        try:
            alert = orjson.loads(value)
            known = newest.setdefault(source.decode(), {}).get(alert["alert_id"])
            if known is None or known["version"] <= alert["version"]:
                newest[source.decode()][alert["alert_id"]] = alert
        except (ValueError, KeyError, TypeError):
            continue  # anybody may write to a topic
    return newest


@dataclass(slots=True)
class Reconciliation:
    """Of one partition that was taken over in doubt. Call `before` and `after` at each flush until it is `done`.

    `published`: the newest state of its alerts.

    `until`: the end of the log at that time. Whatever is published beyond the commit is of records before it.
    """

    published: Alerts
    until: int
    because: str
    began: bool = field(default=False, init=False)
    done: bool = field(default=False, init=False)

    def due(self, offset: int) -> bool:
        """Whether a flush is called for, records or none."""
        return not self.began or offset >= self.until

    def before(self, book: EpisodeBook) -> None:
        """Before the first flush: announce anew what nobody was told of."""
        if not self.began:
            self.began = True
            told = {name for name, alert in self.published.items() if alert["state"] not in ENDED}
            book.announce(episode for episode in book.open_episodes if _id(episode) not in told)

    def after(self, owed: Sequence[Output], book: EpisodeBook, offset: int) -> list[Output]:
        """After a flush at `offset`: what is owed beside that once all is seen that may be published.

        Closings of alerts that are open and that nobody goes on with; openings of those that are closed, and go on.
        """
        for output in owed:
            if output.topic is FRAUD_ALERTS:
                self._note(orjson.loads(output.value))
        if offset < self.until:
            return []
        self.done = True
        going_on = {_id(episode): episode for episode in book.open_episodes}
        told = list(self.published.items())
        gone = [alert for name, alert in told if alert["state"] not in ENDED and name not in going_on]
        anew = [going_on[name] for name, alert in told if alert["state"] in ENDED and name in going_on]
        closings = [self._closing(alert, offset) for alert in gone]
        return [self._newer(output) for output in [*closings, *(one.output("opened", offset) for one in anew)]]

    def _note(self, alert: dict[str, Any]) -> None:
        known = self.published.get(alert["alert_id"])
        if known is None or known["version"] < alert["version"]:
            self.published[alert["alert_id"]] = alert

    def _newer(self, output: Output) -> Output:
        """With a version above what is published, which may be of this offset, of another log or of a longer one."""
        alert = orjson.loads(output.value)
        known = self.published[alert["alert_id"]]["version"]
        if known >= alert["version"]:
            alert["version"] = version(known // 4 + 1, alert["state"])
        return replace(output, value=orjson.dumps(alert))

    def _closing(self, alert: dict[str, Any], offset: int) -> Output:
        body = {**alert, "state": "closed", "closed_at": alert["updated_at"], "version": version(offset, "closed")}
        body["evidence"] = {**(alert.get("evidence") or {}), "closed_because": self.because}
        key = f"{alert['account_id']}/{alert['subject']}".encode("utf-8", "surrogatepass")
        return Output(FRAUD_ALERTS, orjson.dumps(body), key=key)


def _id(episode: Any) -> str:
    return alert_id(episode.peak.rule, episode.subject, episode.start_ms)
