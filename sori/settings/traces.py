"""Traces, from the webhook to the insert."""

from pydantic import BaseModel, ConfigDict, Field


class TracesSettings(BaseModel):
    """Settings of OpenTelemetry traces; they need the extra `otel`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str = Field(
        "", description="OTLP/HTTP collector, such as `http://collector:4318`; empty: no traces, at no cost."
    )
    sample_ratio: float = Field(0.01, ge=0, le=1, description="Share of deliveries traced that bring no traceparent.")
    accept_parent: bool = Field(
        default=True, description="Follow a sender's traceparent and its decision to sample; off where strangers post."
    )
