"""Where the results are stored, and for how long."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sori.settings.types import SecretText


class ClickHouseSettings(BaseModel):
    """One DSN: chdb:///path (embedded) or clickhouse[s]://user:password@host:port/database.

    Retention is applied by `sori schema apply`, and at every start of the embedded engine; 0 keeps for ever.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dsn: SecretText = Field(
        "", repr=False, description="chdb:///path or clickhouse[s]://user@host/db; empty = chdb under the data dir."
    )
    cluster: str = Field(
        "", pattern=r"^[\w-]*$", description="Cluster, as the servers name it: replicated, sharded tables; empty: none."
    )
    events_days: int = Field(0, ge=0, description="Keep raw events so many days after they were received; 0 = ever.")
    windows_days: int = Field(0, ge=0, description="Keep 1-minute windows so many days; 0 = ever.")
    rollups_days: int = Field(0, ge=0, description="Keep 5-minute, hour and day roll-ups so many days; 0 = ever.")
    alerts_days: int = Field(0, ge=0, description="Keep alerts so many days after their last update; 0 = ever.")
    attempts_days: int = Field(90, ge=0, description="Keep webhook delivery attempts so many days; 0 = ever.")
    sessions_days: int = Field(0, ge=0, description="Keep the customer's own session records so many days; 0 = ever.")
    late_days: int = Field(90, ge=0, description="Keep notes of late events so many days; 0 = ever.")
    quarantine_days: int = Field(90, ge=0, description="Keep quarantined records so many days; 0 = ever.")

    @model_validator(mode="after")
    def _windows_outlive_events(self) -> Self:
        # windows without events behind them, and not the other way round: `sori verify` counts windows from events
        if self.windows_days and (not self.events_days or self.windows_days < self.events_days):
            raise ValueError("clickhouse.windows_days must be 0 or at least clickhouse.events_days")
        # rates over a long range are read from roll-ups, and must not know less than the minutes do
        if self.rollups_days and (not self.windows_days or self.rollups_days < self.windows_days):
            raise ValueError("clickhouse.rollups_days must be 0 or at least clickhouse.windows_days")
        return self
