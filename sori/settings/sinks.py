"""The ClickHouse sink."""

from pydantic import BaseModel, ConfigDict, Field


class SinksSettings(BaseModel):
    """Settings of `sori sinks`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: str = Field("sori-sinks", description="Prefix of the Kafka consumer groups, one per topic: <group>.<topic>.")
    instance_id: str = Field(
        "",
        description="Stable name of this process in its groups (static membership: a restart does not rebalance); "
        "distinct per process. An embedded engine has one process by nature and needs none.",
    )
    max_batch_rows: int = Field(
        100_000,
        gt=0,
        description="Most rows of a batch, and a fetch more; 200,000 raw events are inserted as two halves. "
        "Larger inserts leave less to merge; two batches are held at a time, raw events as the bytes of their body "
        "and headers.",
    )
    max_batch_bytes: int = Field(64 * 1024 * 1024, gt=0, description="Most bytes of a batch.")
    max_batch_age_s: float = Field(0.5, gt=0, description="Longest wait before an insert of raw events, seconds.")
    window_batch_age_s: float = Field(0.15, gt=0, description="Longest wait before an insert of windows, seconds.")
    alert_batch_age_s: float = Field(0.1, gt=0, description="Longest wait before an insert of alerts, seconds.")
    max_refused_in_a_row: int = Field(
        20,
        ge=0,
        description="So many rows refused and none accepted: the sink stops instead of moving its topic to quarantine; "
        "0 = never.",
    )
    insert_timeout_s: float = Field(60.0, gt=0, description="Longest wait for ClickHouse's answer, seconds.")
    backoff_min_s: float = Field(
        0.2, gt=0, description="First pause after a failed insert, seconds; doubles, jittered."
    )
    backoff_max_s: float = Field(15.0, gt=0, description="Longest pause between two tries, seconds.")
    session_timeout_s: float = Field(10.0, gt=0, description="When a silent process loses its partitions, seconds.")
    stall_s: float = Field(60.0, gt=0, description="Waiting rows and no commit for so long: not healthy, seconds.")
    repair_interval_s: float = Field(
        10.0, gt=0, description="Pause between two looks for late and repeated events, seconds."
    )
    repair_lookback_s: float = Field(
        172_800.0, gt=0, description="How long windows of late and repeated events are kept consistent, seconds."
    )
    rollup_interval_s: float = Field(15.0, gt=0, description="Pause between two roll-ups of quiet windows, seconds.")
    rollup_quiet_s: float = Field(
        90.0, gt=0, description="A window is rolled up when unchanged for so long; more than insert_timeout_s."
    )
    fields_interval_s: float = Field(
        300.0, gt=0, description="Pause between two looks for fields that no column has (`sori fields`), seconds."
    )
    fields_sample: int = Field(
        2000, gt=0, description="Bodies of each account and kind of event that such a look reads, about."
    )
    admin_port: int = Field(
        8083, ge=0, le=65535, description="Port of /healthz and /metrics; 0: off, or free in `sori up`."
    )
    admin_host: str = Field("127.0.0.1", description="Address of /healthz and /metrics.")
