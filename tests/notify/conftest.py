"""`sori notify` in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from notify.service import NotifyService
from sori.settings import Settings, load_settings
from sori.settings.kafka import KafkaSettings
from testkit.wait import wait_until

LOCAL = {"allow_http": True, "allow_networks": "127.0.0.0/8", "admin_port": 0}
Running = Callable[..., AbstractAsyncContextManager[NotifyService]]


@pytest.fixture
def notify_settings(topics: KafkaSettings) -> Settings:
    """Subscribers on this machine are allowed; retries come soon."""
    return load_settings(
        kafka=topics.model_dump(), notify={**LOCAL, "retry_delays_s": [0.2] * 50, "pause_max_s": 0.2, "timeout_s": 2.0}
    )


@pytest.fixture
def running(notify_settings: Settings) -> Running:
    """Run the service for a block; leaving it stops the service as SIGTERM does."""

    @asynccontextmanager
    async def run(**notify: object) -> AsyncIterator[NotifyService]:
        stop = asyncio.Event()
        found = notify_settings.notify.model_copy(update=notify)
        service = NotifyService(notify_settings.model_copy(update={"notify": found}))
        task = asyncio.create_task(service.run(stop))

        async def ready() -> bool:
            if task.done():
                task.result()
            return not await service.readiness()

        try:
            await wait_until(ready)
            yield service
        finally:
            stop.set()
            await task

    return run
