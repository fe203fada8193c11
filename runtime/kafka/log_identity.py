"""Which log a topic is: cluster id and topic id. Offsets mean something only together with it.

A topic that was made anew, or a cluster that lost its data, starts at offset 0 again under the same name. Whoever keeps
offsets elsewhere (insert tokens, versions of rows, checkpoints) keeps the log's identity beside them.

Topic ids came with Metadata v10 (KIP-516, Kafka 2.8). aiokafka's own request ends at v5, so ours is written out here;
it was read from aiokafka 0.12 to 0.14. An older broker is known by its cluster id and the topic's name alone.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, TopicAuthorizationFailedError
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from runtime.kafka.clients import bounded, running_admin
from runtime.kafka.explain import explain
from sori.errors import StorageUnavailable
from sori.settings.kafka import KafkaSettings


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """A topic of a cluster, as it was created; `topic_id` is all zeros where the broker knows none."""

    cluster_id: str
    topic: str
    topic_id: uuid.UUID

    @property
    def key(self) -> int:
        """32 bits that name this log in rows and tokens; never 0, which means "before logs had names"."""
        name = f"{self.cluster_id}\0{self.topic}\0{self.topic_id}".encode()
        return int.from_bytes(hashlib.blake2b(name, digest_size=4).digest(), "big") or 1


class _Uuid(AbstractType[uuid.UUID]):  # type: ignore[misc]  # aiokafka ships no types
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))


class _MetadataResponse(Response):  # type: ignore[misc]  # same
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestV10(RequestStruct):  # type: ignore[misc]  # same
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class MetadataRequest(Request[_MetadataRequestV10]):  # type: ignore[misc]  # same
    """Asks about these topics by name, with `operations` also what our user may do with them."""

    API_KEY = 3

    def __init__(self, *topics: str, operations: bool = False) -> None:
        self._topics: list[tuple[uuid.UUID, str, dict[int, bytes]]] = [
            (uuid.UUID(int=0), topic, {}) for topic in topics
        ]
        self._operations = operations

    def build(self, request_struct_class: type[_MetadataRequestV10]) -> _MetadataRequestV10:
        return request_struct_class(self._topics, False, False, self._operations, {})  # noqa: FBT003


async def read_log_identity(kafka: KafkaSettings, topic: str) -> LogIdentity:
    """The log behind `topic` now. Raises StorageUnavailable when Kafka does not answer or has no such topic."""
    async with running_admin(kafka) as admin:
        return await bounded(_ask(admin, topic), kafka.request_timeout_s, f"identity of {topic}")


async def ask_metadata(admin: AIOKafkaAdminClient, request: MetadataRequest) -> Any:
    """Kafka's answer, from any broker. Raises IncompatibleBrokerVersion where it is too old to know."""
    client = admin._client  # noqa: SLF001 - the admin client has no public way to send a request of ours
    return await client.send(client.get_random_node(), request)


async def _ask(admin: AIOKafkaAdminClient, topic: str) -> LogIdentity:
    try:
        answer = await ask_metadata(admin, MetadataRequest(topic))
    except IncompatibleBrokerVersion:
        return LogIdentity((await admin.describe_cluster())["cluster_id"] or "", topic, uuid.UUID(int=0))
    error, name, topic_id, *_ = answer.topics[0]
    if error == TopicAuthorizationFailedError.errno:
        raise StorageUnavailable(explain(TopicAuthorizationFailedError(topic)))
    if error:
        raise StorageUnavailable(f"topic {topic}: Kafka answers error {error}; run `sori topics apply`")
    return LogIdentity(answer.cluster_id or "", name, topic_id)
