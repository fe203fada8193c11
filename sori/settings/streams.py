"""The stream processor."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sori.settings.sender import SenderSettings


class StreamsSettings(BaseModel):
    """Settings of `sori streams`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field("sori-streams", description="Kafka consumer group.")
    instance_id: str = Field("", description="Static member id: a restart within the session timeout keeps partitions.")
    standby: bool = Field(
        default=False,
        description="Wait, its state loaded, until the worker with the same `instance_id` ends; take its place then.",
    )
    pane_s: int = Field(10, gt=0, description="Length of a pane, seconds of event time.")
    window_s: int = Field(60, gt=0, description="Length of a CTR window, seconds; a multiple of the pane.")
    lateness_s: int = Field(600, gt=0, description="Allowed lateness, seconds of event time.")
    place_lateness_s: int = Field(3600, gt=0, description="How far source partitions may drift apart, seconds.")
    max_skew_s: float = Field(300.0, ge=0, description="How far created_at may lie ahead of received_at, seconds.")
    sender: SenderSettings = SenderSettings()
    flush_interval_s: float = Field(1.0, gt=0, description="Work between two flushes, seconds.")
    session_timeout_s: float = Field(10.0, gt=0, description="Kafka session timeout, seconds.")
    fetch_wait_ms: int = Field(100, gt=0, description="How long the broker may hold back an empty fetch, ms.")
    fetch_bytes: int = Field(1_048_576, gt=0, description="Most bytes fetched per partition at once.")
    idle_after_s: float = Field(
        60.0, gt=0, description="A partition silent for this long lets event time pass as its clock does, seconds."
    )
    max_devices: int = Field(
        250_000, gt=0, description="Devices tracked per partition and CTR window; further ones only count in the rates."
    )
    max_account_devices: int = Field(
        100_000, gt=0, description="Likewise of one account, so that it leaves room for the others."
    )
    max_rows: int = Field(
        100_000,
        gt=0,
        description="Click-through rows held per partition and window; the sinks count events of further ones.",
    )
    max_account_rows: int = Field(50_000, gt=0, description="Likewise of one account.")
    max_accounts: int = Field(5_000, gt=0, description="Accounts held per partition and window; likewise.")
    max_subjects: int = Field(
        10_000, gt=0, description="Places and campaigns judged per partition and pane; further ones are not judged."
    )
    max_account_subjects: int = Field(3_000, gt=0, description="Likewise of one account.")
    stall_timeout_s: float = Field(60.0, gt=0, description="Work uncommitted for this long ends the process, seconds.")
    outage_s: float = Field(
        900.0, gt=0, description="Outputs wait this long in memory for a Kafka that does not answer, seconds."
    )
    snapshots: bool = Field(
        default=True,
        description="Keep snapshots of state in Kafka: a restart reads those instead of the log of `lateness_s`.",
    )
    snapshot_interval_s: float = Field(
        10.0, gt=0, description="Between two snapshots of a partition, seconds; so much of the log is read on top."
    )
    admin_port: int = Field(
        8082, ge=0, le=65535, description="Port of /healthz and /metrics; 0: off, or free in `sori up`."
    )
    admin_host: str = Field("127.0.0.1", description="Address of /healthz and /metrics.")

    @model_validator(mode="after")
    def _standby_can_follow(self) -> Self:
        if self.standby and not (self.instance_id and self.snapshots):
            raise ValueError("standby = true needs instance_id, of the worker to be replaced, and snapshots")
        return self
