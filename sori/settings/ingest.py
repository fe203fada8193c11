"""The webhook ingress."""

from pydantic import BaseModel, ConfigDict, Field


class IngestSettings(BaseModel):
    """Settings of `sori ingest`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    app_id: str = Field("", description="SORI app id of the default endpoint.")
    secret_keys: str = Field("", description="Secrets of the default endpoint, comma-separated (rotation).")
    max_body_bytes: int = Field(1_048_576, gt=0, description="Largest accepted body, bytes.")
    ack_timeout_s: float = Field(2.0, gt=0, description="How long to wait for Kafka's acknowledgement, seconds.")
    max_clock_skew_s: float = Field(300.0, gt=0, description="How far created_at may lie ahead of our clock, seconds.")
