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
    rollups_5m_days: int | None = Field(None, ge=0, description="Keep 5-minute roll-ups; empty = `rollups_days`.")
    rollups_1h_days: int | None = Field(None, ge=0, description="Keep roll-ups of hours; empty = `rollups_days`.")
    rollups_1d_days: int | None = Field(None, ge=0, description="Keep roll-ups of days; empty = `rollups_days`.")
    alerts_days: int = Field(0, ge=0, description="Keep alerts so many days after their last update; 0 = ever.")
    attempts_days: int = Field(90, ge=0, description="Keep webhook delivery attempts so many days; 0 = ever.")
    sessions_days: int = Field(0, ge=0, description="Keep the customer's own session records so many days; 0 = ever.")
    late_days: int = Field(90, ge=0, description="Keep notes of late events so many days; 0 = ever.")
    quarantine_days: int = Field(90, ge=0, description="Keep quarantined records so many days; 0 = ever.")

    cold_days: int = Field(
        0, ge=0, description="Move raw events and minutes to `cold_volume` after so many days; 0 = never."
    )
    cold_volume: str = Field("", pattern=r"^[\w-]*$", description="Volume of `storage_policy` for what is old.")
    storage_policy: str = Field(
        "",
        pattern=r"^[\w-]*$",
        description="Policy, as the server names it, of tables that are moved; empty: as it is.",
    )

    @property
    def rollup_levels(self) -> tuple[tuple[int, int], ...]:
        """(length in seconds, days it is kept) of each level of roll-ups, the shortest first."""
        own = ((300, self.rollups_5m_days), (3600, self.rollups_1h_days), (86_400, self.rollups_1d_days))
        return tuple((seconds, self.rollups_days if days is None else days) for seconds, days in own)

    @model_validator(mode="after")
    def _cold_is_somewhere(self) -> Self:
        if bool(self.cold_days) != bool(self.cold_volume):
            raise ValueError("clickhouse.cold_days and clickhouse.cold_volume go together")
        return self

    @model_validator(mode="after")
    def _windows_outlive_events(self) -> Self:
        # windows without events behind them, and not the other way round: `sori verify` counts windows from events
        if self.windows_days and (not self.events_days or self.windows_days < self.events_days):
            raise ValueError("clickhouse.windows_days must be 0 or at least clickhouse.events_days")
        # rates over a long range are read from roll-ups, and must not know less than the minutes do
        names = ("rollups_5m_days", "rollups_1h_days", "rollups_1d_days")
        below, finer = "windows_days", self.windows_days
        for name, (_, days) in zip(names, self.rollup_levels, strict=True):
            if days and (not finer or days < finer):
                said = "rollups_days" if getattr(self, name) is None else name
                raise ValueError(f"clickhouse.{said} must be 0 or at least clickhouse.{below}")
            below, finer = name, days
        return self
