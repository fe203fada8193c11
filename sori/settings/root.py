"""The root of all settings."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sori.settings.access import AccessSettings
from sori.settings.api import ApiSettings
from sori.settings.broker import BrokerSettings
from sori.settings.clickhouse import ClickHouseSettings
from sori.settings.ingest import IngestSettings
from sori.settings.kafka import KafkaSettings
from sori.settings.kafka_login import Stage
from sori.settings.log import LogSettings
from sori.settings.notify import NotifySettings
from sori.settings.rules import RulesSettings
from sori.settings.sinks import SinksSettings
from sori.settings.streams import StreamsSettings
from sori.settings.traces import TracesSettings
from sori.settings.types import NamedPath

#: A write is stored when its statement returns; a subquery reads every shard.
_ON_CLUSTER = (
    "distributed_foreground_insert=1&distributed_product_mode=global"
    "&parallel_distributed_insert_select=0"  # else shards write by themselves, without the settings of the statement
)


class Settings(BaseModel):
    """Everything that can be set; `load_settings` reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: NamedPath = Field(
        Path(".sori"), description="Where the embedded broker, ClickHouse and the spool keep files."
    )
    kafka: KafkaSettings = KafkaSettings()
    broker: BrokerSettings = BrokerSettings()
    ingest: IngestSettings = IngestSettings()
    streams: StreamsSettings = StreamsSettings()
    rules: RulesSettings = RulesSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    sinks: SinksSettings = SinksSettings()
    api: ApiSettings = ApiSettings()
    access: AccessSettings = AccessSettings()
    notify: NotifySettings = NotifySettings()
    log: LogSettings = LogSettings()
    traces: TracesSettings = TracesSettings()

    @model_validator(mode="after")
    def _raw_events_outlive_recounts(self) -> Self:
        # a late event's window is counted again from its raw events
        streams, kept = self.streams, self.clickhouse
        needed_s = self.sinks.repair_lookback_s + streams.lateness_s + streams.window_s
        for name in ("events_days", "late_days"):
            days = getattr(kept, name)
            if days and days * 86_400 < needed_s:
                raise ValueError(
                    f"clickhouse.{name} = {days} is shorter than sinks.repair_lookback_s + streams.lateness_s + "
                    f"streams.window_s ({needed_s:g} s): late events could not be counted; keep longer, or 0 = for ever"
                )
        return self

    def as_stage(self, stage: Stage) -> Settings:
        """The same settings with Kafka reached as this stage's user. Raises ConfigError when there is none."""
        return self.model_copy(update={"kafka": self.kafka.of(stage)})

    @property
    def reading_dsn(self) -> str:
        """The DSN that queries are asked with."""
        return self.api.clickhouse_dsn or self.clickhouse_dsn

    @property
    def clickhouse_dsn(self) -> str:
        """The DSN in force: the one set, else the embedded engine under the data directory.

        On a cluster with what Distributed tables need, unless it says otherwise itself.
        """
        given = self.clickhouse.dsn or f"chdb://{(self.data_dir / 'clickhouse').absolute()}"
        if not self.clickhouse.cluster or given.startswith("chdb:"):
            return given
        address, _, options = given.partition("?")
        return f"{address}?{_ON_CLUSTER}{'&' if options else ''}{options}"
