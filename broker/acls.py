"""Gives each stage's user its rights in Kafka."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

from runtime.kafka.clients import bounded, running_admin
from runtime.kafka.explain import explain
from sori.errors import ConfigError, StorageUnavailable
from sori.rights import Right, rights_of
from sori.settings import Settings
from sori.settings.kafka import KafkaSettings
from sori.settings.kafka_login import STAGES, Stage

#: Kafka's numbers (AclOperation, ResourceType, PatternType, AclPermissionType).
_OPERATIONS = {"READ": 3, "WRITE": 4, "CREATE": 5, "DELETE": 6, "ALTER": 7, "DESCRIBE": 8, "DESCRIBE_CONFIGS": 10}
_RESOURCES = {"topic": 2, "group": 3, "cluster": 4}
_LITERAL, _PREFIXED = 3, 4
_ALLOW, _ANY_HOST = 3, "*"
_NOBODY = "User:ANONYMOUS"


@dataclass(frozen=True, slots=True)
class Grant:
    """A right, and whose it is."""

    stage: Stage
    principal: str
    right: Right

    def command(self, bootstrap: str) -> str:
        """The same for Kafka's own tool, where somebody else keeps the rights."""
        right = self.right
        where = ["--cluster"] if right.resource == "cluster" else [f"--{right.resource}", right.name]
        pattern = ["--resource-pattern-type", "prefixed"] if right.prefixed else []
        words = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--add", "--allow-principal", self.principal]
        operation = right.operation.title().replace("_C", "C")  # DescribeConfigs
        return shlex.join([*words, "--operation", operation, *where, *pattern])


def grants(settings: Settings, stages: Iterable[Stage] = STAGES) -> list[Grant]:
    """The least rights of these stages."""
    return [
        Grant(stage, settings.kafka.principal_of(stage), right)
        for stage in stages
        for right in rights_of(stage, settings)
    ]


async def apply_grants(kafka: KafkaSettings, wanted: Iterable[Grant]) -> None:
    """Give every right; those that are there stay, and none is taken away.

    Raises ConfigError when a stage has no user, StorageUnavailable when Kafka does not answer or refuses.
    """
    wanted = list(wanted)
    if nameless := sorted({one.stage for one in wanted if one.principal == _NOBODY}):
        names = ", ".join(f"kafka.{stage}.principal" for stage in nameless)
        raise ConfigError(f"no user is known for {', '.join(nameless)}; set {names}, or their logins")
    async with running_admin(kafka) as admin:
        for one in wanted:
            await bounded(grant(admin, one.principal, one.right), kafka.request_timeout_s, f"grant {one.right}")


async def grant(admin: AIOKafkaAdminClient, principal: str, right: Right) -> None:
    """Give one right. Raises StorageUnavailable when Kafka refuses."""
    pattern = _PREFIXED if right.prefixed else _LITERAL
    what, number = _RESOURCES[right.resource], _OPERATIONS[right.operation]
    request = CreateAclsRequest(what, right.name, pattern, principal, _ANY_HOST, number, _ALLOW)
    client = admin._client  # noqa: SLF001 - aiokafka has the request but no call for it
    answer = await client.send(client.get_random_node(), request)
    for code, message in answer.creation_responses:
        if code:
            kind = for_code(code)
            told = explain(kind(right.name)) or f"{kind.__name__} {message or ''}".strip()
            raise StorageUnavailable(f"Kafka refuses {right} to {principal}: {told}")
