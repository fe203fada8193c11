"""The Kafka of the pipeline that runs on a data directory, so that two pipelines on a machine are never mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sori.errors import ConfigError
from sori.settings.kafka import KafkaSettings, is_embedded

if TYPE_CHECKING:
    from sori.settings import Settings


def noted_kafka(settings: Settings) -> KafkaSettings:
    """The address in the note beside the engine, while its writer lives; else the setting, where it was set.

    Raises ConfigError when neither says anything: the default's Kafka may be another pipeline's.
    """
    from api.query.holder_note import read_note
    from runtime.clickhouse.client import parse_dsn, path_holder

    dsn, kafka = parse_dsn(settings.clickhouse_dsn), settings.kafka.of("admin")
    if dsn.path is None:
        return kafka
    note = read_note(dsn)
    if note is not None and note.bootstrap and note.pid == path_holder(dsn.path):
        return kafka.model_copy(update={"bootstrap": note.bootstrap, "topic_prefix": note.topic_prefix})
    if is_embedded(settings.kafka):
        raise ConfigError(f"no pipeline runs on {settings.data_dir}, so its Kafka is not known; set kafka.bootstrap")
    return kafka
