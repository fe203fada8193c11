"""The ClickHouse sink."""

from pydantic import BaseModel, ConfigDict, Field


class SinksSettings(BaseModel):
    """Settings of `sori sinks`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field("sori-sinks", description="Kafka consumer group.")
    max_batch_rows: int = Field(50_000, gt=0, description="Most rows of one insert.")
    max_batch_age_s: float = Field(1.0, gt=0, description="Longest wait before an insert, seconds.")
    admin_port: int = Field(8083, ge=0, le=65535, description="Port of /healthz and /metrics; 0 turns it off.")
    admin_host: str = Field("127.0.0.1", description="Address of /healthz and /metrics.")
