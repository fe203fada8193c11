"""Another worker with the same static id: what it holds, and the note that it leaves when it goes.

A static member does not leave its group: else a restart would move partitions. So whoever waits to take its place is
told by a note in `sori.state`, or finds that the group has no such member any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from zlib import crc32

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocol
from faust.types import TP

from runtime.kafka.clients import bounded, make_consumer, running, running_admin
from runtime.kafka.offsets import committed_by
from sori.errors import StorageUnavailable
from sori.settings import Settings
from sori.topics import STATE
from streams.kafka.state_topic import StateTopic
from streams.state.checkpoint import Checkpoint

_WAIT_MS = 100
#: A group that is not being shared out anew.
_STABLE = "Stable"
#: What Kafka puts behind a static id to name its member.
_UUID_LENGTHS = (22, 36)


async def say_left(topic: StateTopic, settings: Settings) -> None:
    """Tell that this worker has left, all committed. Raises StorageUnavailable."""
    key = _note_key(settings)
    await topic.append(await topic.partition_for(crc32(key)), [(key, b"")])


def _note_key(settings: Settings) -> bytes:
    return f"{settings.streams.group}/left/{settings.streams.instance_id}".encode()


class Predecessor:
    """The member with our static id. Use `watched`; every call raises StorageUnavailable."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient, notes: AIOKafkaConsumer) -> None:
        self._settings = settings
        self._admin = admin
        self._notes = notes
        self._key = _note_key(settings)
        self._held: frozenset[TP] = frozenset()

    @classmethod
    @asynccontextmanager
    async def watched(cls, settings: Settings, topic: StateTopic) -> AsyncIterator[Predecessor]:
        """From now on a note is heard."""
        kafka, timeout_s = settings.kafka, settings.kafka.request_timeout_s
        name = STATE.name(kafka.topic_prefix)
        part = TopicPartition(name, await topic.partition_for(crc32(_note_key(settings))))
        async with (
            running_admin(kafka) as admin,
            running(make_consumer(kafka, group_id=None, fetch_max_wait_ms=_WAIT_MS), timeout_s, name) as notes,
        ):
            notes.assign([part])
            end = (await bounded(notes.end_offsets([part]), timeout_s, name))[part]
            notes.seek(part, end)
            yield cls(settings, admin, notes)

    async def said_left(self) -> bool:
        """Whether a note came since the last call; waits a moment for one."""
        timeout_s = self._settings.kafka.request_timeout_s
        found = await bounded(self._notes.getmany(timeout_ms=_WAIT_MS), timeout_s, "notes of workers that left")
        return any(record.key == self._key for records in found.values() for record in records)

    async def partitions(self) -> frozenset[TP] | None:
        """What it holds, or held before the group began to be shared out anew; None: the group has no such member."""
        group, timeout_s = self._settings.streams.group, self._settings.kafka.request_timeout_s
        answers = await bounded(self._admin.describe_consumer_groups([group]), timeout_s, f"members of {group}")
        (described,) = answers[0].groups
        error_code, state, members = described[0], described[2], described[5]
        if error_code:
            raise StorageUnavailable(f"members of {group}: error {error_code}")
        for member_id, _, _, _, assignment in members:
            if self._is_ours(member_id):
                if state == _STABLE:
                    self._held = _partitions(assignment)
                return self._held
        return None

    def _is_ours(self, member_id: str) -> bool:
        begins = f"{self._settings.streams.instance_id}-"
        return member_id.startswith(begins) and len(member_id) - len(begins) in _UUID_LENGTHS

    async def committed(self, tps: Collection[TP]) -> Mapping[TP, Checkpoint]:
        """Its commits of these."""
        group, timeout_s = self._settings.streams.group, self._settings.kafka.request_timeout_s
        wanted = [TopicPartition(*tp) for tp in tps]
        found = await committed_by(self._admin, group, wanted, timeout_s) if wanted else {}
        return {TP(tp.topic, tp.partition): Checkpoint.parse(read.offset, read.metadata) for tp, read in found.items()}


def _partitions(assignment: bytes) -> frozenset[TP]:
    if not assignment:
        return frozenset()
    topics = ConsumerProtocol.ASSIGNMENT.decode(assignment).assignment
    return frozenset(TP(topic, partition) for topic, partitions in topics for partition in partitions)
