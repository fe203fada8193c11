"""Which of its rights a stage lacks, asked before it runs into the first of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog
from aiokafka.errors import IncompatibleBrokerVersion, TopicAuthorizationFailedError

from runtime.kafka.clients import bounded, running_admin
from runtime.kafka.log_identity import MetadataRequest, ask_metadata
from sori.errors import StorageUnavailable
from sori.rights import Right
from sori.settings.kafka import KafkaSettings

#: Kafka's numbers of operations, which are bits of its answer; the lowest number means that it does not say.
_BITS = {"READ": 3, "WRITE": 4}
_NOT_SAID = -(2**31)
_log = structlog.get_logger(__name__)


async def lacking_rights(kafka: KafkaSettings, rights: Iterable[Right]) -> list[str]:
    """The rights to topics that our user lacks, each with the setting that says who we are; empty when all is well.

    Topics that do not exist are left out. Raises StorageUnavailable when Kafka does not answer.
    """
    wanted: dict[str, set[str]] = {}
    for right in rights:
        if right.resource == "topic" and not right.prefixed:
            wanted.setdefault(right.name, set()).add(right.operation)
    async with running_admin(kafka) as admin:
        question = ask_metadata(admin, MetadataRequest(*wanted, operations=True))
        try:
            answer = await bounded(question, kafka.request_timeout_s, "rights")
        except IncompatibleBrokerVersion:
            return []
    who = f"user {kafka.acl_principal} ({kafka.user_setting}) has not the right"
    return [f"{who} {missing}" for missing in _missing(wanted, answer.topics)]


def _missing(wanted: Mapping[str, set[str]], topics: Iterable[tuple[object, ...]]) -> list[str]:
    found = []
    for error, name, *_, allowed, _tags in topics:
        unseen = error == TopicAuthorizationFailedError.errno
        if (error and not unseen) or (not unseen and allowed == _NOT_SAID):
            continue
        bits = 0 if unseen else int(str(allowed))
        found += [f"{one} on topic {name}" for one in sorted(wanted[str(name)]) if not bits >> _BITS[one] & 1]
    return found


async def tell_lacking_rights(kafka: KafkaSettings, rights: Iterable[Right]) -> None:
    """Log each right that is missing, once, at a start; nothing where Kafka knows no users, or does not answer."""
    if not (kafka.sasl or kafka.tls):
        return
    try:
        for lacking in await lacking_rights(kafka, rights):
            _log.error("kafka_right_missing", lacking=lacking, remedy="`sori topics acls` prints what each stage needs")
    except StorageUnavailable as error:
        _log.warning("kafka_rights_not_known", error=str(error))
