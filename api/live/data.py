"""Answers one load of the live page: all its questions at once, shared by everybody who asks in the same second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from api.live.sql import live, range_named
from api.live.stage_probes import StageProbes
from api.query.pool import EnginePool

_FRESH_S = 1.0
_MOST_KEPT = 64
_ONE_ROW = {"totals", "pulse"}
Answer = dict[str, Any]


class LiveData:
    """Many viewers cost as much as one: an answer is shared while it is younger than a second."""

    def __init__(
        self, pool: EnginePool, probes: StageProbes, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pool = pool
        self._probes = probes
        self._clock = clock
        self._kept: dict[tuple[str, str | None], tuple[float, asyncio.Task[Answer]]] = {}

    async def answer(self, range_name: str, account: str | None) -> Answer:
        """Everything the page shows but the alerts. Raises QueryError or StorageUnavailable."""
        range_named(range_name)
        key, now = (range_name, account), time.monotonic()
        asked_at, task = self._kept.get(key, (0.0, None))
        if task is None or now - asked_at > _FRESH_S:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            task = asyncio.create_task(self._ask(range_name, account))
            self._kept[key] = (now, task)
        return await asyncio.shield(task)

    async def _ask(self, range_name: str, account: str | None) -> Answer:
        span, now = range_named(range_name), self._clock()
        questions = live(span, now, account)
        stages, *answers = await asyncio.gather(
            self._probes.states(), *(self._pool.rows(sql) for sql in questions.values())
        )
        parts: Mapping[str, Any] = {
            name: rows[0] if name in _ONE_ROW else rows for name, rows in zip(questions, answers, strict=True)
        }
        return {
            "range": range_name,
            "bucket_s": span.bucket_s,
            "since": span.start(now).isoformat(),
            "now_ms": int(now.timestamp() * 1000),
            **parts,
            "accounts": [row["account_id"] for row in parts["accounts"]],
            "stages": stages,
        }
