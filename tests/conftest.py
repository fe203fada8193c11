"""Fixtures that every test folder may use: one real Kafka per session, and topics of its own for each test."""

from __future__ import annotations

import asyncio
import resource
import uuid
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from hypothesis import settings

from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics, delete_topics
from sori.settings.kafka import KafkaSettings
from testkit.clickhouse_fixtures import chdb_dsn, clickhouse_databases, clickhouse_server, client, dsn
from testkit.examples import how_many

#: The contract suite: what runs on `dsn` or `client` runs embedded and against a server.
__all__ = ["chdb_dsn", "clickhouse_databases", "clickhouse_server", "client", "dsn"]

#: A busy machine is not a finding: no example is failed for the time it took.
settings.register_profile("pipeline", deadline=None, max_examples=how_many(100))
settings.load_profile("pipeline")

#: The embedded engine keeps three open for each thread it ever had; 1,024, which many shells allow, do not last.
_MOST_FILES = 65_536


def pytest_configure() -> None:
    """Allow this process, and what tests start, as many open files as the machine does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _MOST_FILES) if hard >= 0 else _MOST_FILES, hard))


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end in a loop of its own, leaving pytest-asyncio's loop policy untouched."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(coroutine)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of a real Kafka, started when the first test asks for it; nobody may stop or kill it.

    A test of broker faults starts an EmbeddedBroker of its own.
    """
    kafka = EmbeddedBroker(tmp_path_factory.mktemp("kafka"))
    _run(kafka.start())
    yield kafka.bootstrap
    _run(kafka.stop())


@pytest.fixture
def topic_prefix() -> str:
    """A topic prefix that no other test has; it also makes a good suffix for consumer groups."""
    return f"t{uuid.uuid4().hex[:12]}."


@pytest.fixture
def kafka_settings(broker: str, topic_prefix: str) -> KafkaSettings:
    """How this test reaches the session's Kafka; the topics may not exist yet."""
    return KafkaSettings(bootstrap=broker, topic_prefix=topic_prefix)


@pytest.fixture
def topics(kafka_settings: KafkaSettings) -> Iterator[KafkaSettings]:
    """Every topic of the registry under this test's prefix, deleted afterwards; the value is the Kafka settings."""
    _run(_apply(kafka_settings))
    yield kafka_settings
    _run(delete_topics(kafka_settings))


async def _apply(kafka: KafkaSettings) -> None:
    await apply_topics(kafka)
