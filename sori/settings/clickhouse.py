"""Where the results are stored."""

from pydantic import BaseModel, ConfigDict, Field


class ClickHouseSettings(BaseModel):
    """One DSN: chdb:///path (embedded) or clickhouse[s]://user:password@host:port/database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dsn: str = Field("", description="chdb:///path or clickhouse[s]://user@host/db; empty = chdb under the data dir.")
