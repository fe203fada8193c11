"""The broker that all peers share, with the corpus in it; every run finds the other topics new and empty."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import NewTopic

from bench.ingest import cpu
from bench.streams.corpus import HOSTILE, Loader, deliveries, loading
from bench.streams.peers import OUTPUT, PREFIX, Peer
from bench.streams.truth import Truth
from broker.process import EmbeddedBroker
from broker.topic_admin import apply_topics
from runtime.kafka.clients import bounded, running_admin
from sori.settings.kafka import KafkaSettings

PARTITIONS = 6
WHOLE, FIRST_PART = f"{PREFIX}events", f"{PREFIX}events-first-part"
#: The corpus keeps its event times, which lie in the past: Kafka must not take that for old age.
_KEEP = {"retention.ms": "-1", "message.timestamp.type": "CreateTime"}


@dataclass(frozen=True)
class Arena:
    """A loaded broker, and what its two corpus topics hold."""

    kafka: KafkaSettings
    whole: Truth
    first_part: Truth
    hostile: Mapping[str, Truth]
    core: int

    def truth(self, peer: Peer) -> Truth:
        """Of the topic that a peer reads."""
        if peer.corpus:
            return self.hostile[peer.corpus]
        return self.first_part if peer.slow else self.whole

    async def reset(self) -> None:
        """Delete every topic but the corpus, then create the output topics anew."""
        async with running_admin(self.kafka) as admin:
            kept = {WHOLE, FIRST_PART, *map(_hostile_topic, HOSTILE)}
            stale = [name for name in await _topics(admin) if name not in kept and not name.startswith("__")]
            if stale:
                await bounded(admin.delete_topics(stale), 30, "delete topics")
            while set(stale) & set(await _topics(admin)):  # noqa: ASYNC110 - Kafka tells nobody
                await asyncio.sleep(0.05)
            await create(self.kafka, [f"{OUTPUT}{kind}" for kind in ("ctr", "device", "place")])
        for prefix in (PREFIX, *(f"{PREFIX}{name}." for name in self.hostile)):
            await apply_topics(self.kafka.model_copy(update={"topic_prefix": prefix}))


def _hostile_topic(name: str) -> str:
    return f"{PREFIX}{name}.events"


async def _topics(admin: object) -> Sequence[str]:
    names: Sequence[str] = await bounded(admin.list_topics(), 30, "topics")  # type: ignore[attr-defined]
    return names


async def create(kafka: KafkaSettings, names: Sequence[str], partitions: int = PARTITIONS) -> None:
    """Create topics that keep their records for good."""
    async with running_admin(kafka) as admin:
        new = [NewTopic(name, partitions, 1, topic_configs=_KEEP) for name in names]
        await bounded(admin.create_topics(new), 30, "create topics")


@asynccontextmanager
async def arena(
    folder: Path, events: int, per_second: int, share: float, seed: int, *, hostile: Iterable[str] = ()
) -> AsyncIterator[Arena]:
    """Start a broker on the first core, load `events` of the corpus, and its first `share` once more on its own.

    `hostile`: corpora under attack to load as well, as many events each.
    """
    cores = sorted(os.sched_getaffinity(0))
    async with EmbeddedBroker(folder, heap_mb=1024) as broker:
        kafka = KafkaSettings(bootstrap=broker.bootstrap, topic_prefix=PREFIX, event_partitions=PARTITIONS)
        attacked = {name: Truth() for name in hostile}
        await create(kafka, [WHOLE, FIRST_PART, *map(_hostile_topic, attacked)])
        await apply_topics(kafka)
        whole, first_part = Truth(), Truth()
        async with loading(kafka) as producer:
            loader = Loader(producer, {WHOLE: PARTITIONS})
            both = {WHOLE: PARTITIONS, FIRST_PART: PARTITIONS}
            for number, one in enumerate(deliveries(events, per_second, seed)):
                early = number < int(events * share)
                whole.add(one)
                if early:
                    first_part.add(one)
                await loader.add(one, both if early else None)
            await loader.close()
            for name, truth in attacked.items():
                loader = Loader(producer, {_hostile_topic(name): PARTITIONS})
                for one in deliveries(events, per_second, seed, hostile=HOSTILE[name]):
                    truth.add(one)
                    await loader.add(one)
                await loader.close()
        cpu.pin(broker.pid or 0, {cores[0]})
        yield Arena(kafka, whole, first_part, attacked, cores[-1])
