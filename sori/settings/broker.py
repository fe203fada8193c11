"""The embedded broker."""

from pydantic import BaseModel, ConfigDict, Field


class BrokerSettings(BaseModel):
    """Settings of `sori broker`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int = Field(9092, ge=0, le=65535, description="Client port on 127.0.0.1; 0 picks a free one.")
    heap_mb: int = Field(384, ge=128, description="JVM heap, megabytes.")
    start_timeout_s: float = Field(60.0, gt=0, description="How long to wait until the broker answers, seconds.")
