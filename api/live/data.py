"""Answers one load of a page with figures: its questions at once, shared by who asks in the same second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from api.live.rates import with_rates
from api.live.sql import TOPS, live
from api.query.pool import EnginePool
from api.query.slice import Slice

_FRESH_S = 1.0
_MOST_KEPT = 64
DEFAULT_ROWS = 100
Answer = dict[str, Any]


class LiveData:
    """Many viewers cost as much as one: an answer is shared while it is younger than a second."""

    def __init__(self, pool: EnginePool, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._pool = pool
        self.clock = clock
        self._kept: dict[tuple[object, ...], tuple[float, asyncio.Task[Answer]]] = {}

    async def answer(self, asked: Slice, mine: tuple[str, ...] | None, rows: int = DEFAULT_ROWS) -> Answer:
        """Everything such a page shows but alerts and stages. Raises QueryError or StorageUnavailable.

        `mine`: whose accounts; answers are never shared by those who may see different ones.
        """
        key, now = (mine, asked.bucket_s, asked.since, asked.until, asked.only, rows), time.monotonic()
        asked_at, task = self._kept.get(key, (0.0, None))
        if task is None or now - asked_at > _FRESH_S:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            task = asyncio.create_task(self._ask(asked, mine or (), rows))
            self._kept[key] = (now, task)
        return await asyncio.shield(task)

    async def _ask(self, asked: Slice, ceiling: tuple[str, ...], rows: int) -> Answer:
        questions = live(asked, rows, ceiling)
        answers = await asyncio.gather(*(self._pool.rows(sql) for sql in questions.values()))
        parts: Answer = dict(zip(questions, answers, strict=True))
        for name in (*TOPS, "totals", "series", "compared"):
            parts[name] = [with_rates(row) for row in parts[name]]
        compared = {bool(row.pop("now")): row for row in parts.pop("compared")}
        return {
            "bucket_s": asked.bucket_s,
            "since": asked.since.isoformat(),
            "until": asked.until.isoformat(),
            "now_ms": int(asked.now.timestamp() * 1000),
            **parts,
            "totals": parts["totals"][0],
            "whole": compared.get(True),
            "before": compared.get(False),
            "accounts": [row["account_id"] for row in parts["accounts"]],
            "pulse": parts["pulse"][0],
        }
