"""What the demo asks the running pipeline: its API for results, Kafka for the lag."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from api.query.ctr_question import CtrQuestion, ctr
from api.query.ctr_sql import latest_alerts
from api.query.engine import HttpEngine, rows
from api.query.verification import differences_sql
from broker.group_lag import group_lags
from cli.demo.truth import EventKey, Subject
from cli.demo.verdict import Alert
from sinks.specs import sink_specs
from sori.settings import Settings
from sori.topics import EVENTS, GEO_ROLLUPS

_COUNT = "SELECT count() AS events, max(received_at) AS newest FROM events_current"
_KEYS = "SELECT account_id, event, identity FROM events_current"
_ALERTS = """
    SELECT rule, account_id, subject_kind, subject,
        toUnixTimestamp64Milli(window_start) AS start_ms, toUnixTimestamp64Milli(window_end) AS end_ms
    FROM alerts_current"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at the running pipeline; `newest` is the latest received_at, `lags` are records by consumer group."""

    events: int = 0
    newest: datetime | None = None
    campaigns: Sequence[Mapping[str, Any]] = ()
    alerts: Sequence[Mapping[str, Any]] = ()
    lags: Mapping[str, int] = field(default_factory=dict)

    @property
    def lag(self) -> int:
        """Records that some consumer group has still to do."""
        return sum(self.lags.values())


class Source:
    """Questions to one pipeline; every method raises QueryError or StorageUnavailable."""

    def __init__(self, settings: Settings, api_url: str, token: str | None = None) -> None:
        self._settings = settings
        self._engine = HttpEngine(api_url, token=token)
        prefix = settings.kafka.topic_prefix
        self._readers = {
            f"{settings.sinks.group}.{spec.name}": [spec.topic.name(prefix)] for spec in sink_specs(settings.sinks)
        }
        self._readers[settings.streams.group] = [EVENTS.name(prefix), GEO_ROLLUPS.name(prefix)]

    async def snapshot(self) -> Snapshot:
        """What the live view shows."""
        totals, campaigns, alerts, lags = await asyncio.gather(
            self._rows(_COUNT),
            self._rows(ctr(CtrQuestion(limit=5))),
            self._rows(latest_alerts(5)),
            self.lags(),
        )
        newest = datetime.fromisoformat(totals[0]["newest"]).replace(tzinfo=UTC) if totals[0]["events"] else None
        return Snapshot(totals[0]["events"], newest, campaigns, alerts, lags)

    async def lags(self) -> dict[str, int]:
        """Uncommitted records by consumer group."""
        return await group_lags(self._settings.kafka.of("admin"), self._readers)

    async def stored(self) -> set[EventKey]:
        """Every event in events_current."""
        return {EventKey(row["account_id"], row["event"], row["identity"]) for row in await self._rows(_KEYS)}

    async def ctr_differences(self) -> int:
        """CTR windows that disagree with the raw events."""
        return len(await self._rows(differences_sql()))

    async def alerts(self) -> list[Alert]:
        """Every alert, as last told."""
        return [
            Alert(
                row["rule"],
                Subject(row["account_id"], row["subject_kind"], row["subject"]),
                row["start_ms"],
                row["end_ms"],
            )
            for row in await self._rows(_ALERTS)
        ]

    async def _rows(self, sql: str) -> list[dict[str, Any]]:
        return await asyncio.to_thread(rows, self._engine, sql)
