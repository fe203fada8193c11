"""The webhook ingress."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sori.settings.types import CommaText, NamedPath, SecretList


class IngestSettings(BaseModel):
    """Settings of `sori ingest`; sizes in bytes, times in seconds, all per process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # where
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    admin_host: str = Field("127.0.0.1", description="Address of /metrics, and of /healthz and /readyz once more.")
    admin_port: int = Field(
        8085,
        ge=0,
        le=65535,
        description="Port of /metrics, of all workers together; 0: off, or free in `sori up`. The webhook port has no "
        "/metrics, since the world can ask it.",
    )
    workers: int = Field(1, ge=1, le=256, description="Processes sharing the port (SO_REUSEPORT), supervised.")
    tls_cert: NamedPath | None = Field(None, description="PEM certificate chain; set together with tls_key.")
    tls_key: NamedPath | None = Field(None, description="PEM private key; both are read again when a file changes.")
    trusted_proxies: CommaText = Field(
        "", description="Networks whose X-Forwarded-For we believe, comma-separated, such as 10.0.0.0/8."
    )

    # who
    app_id: str = Field("", description="SORI app id of the default endpoint, /webhooks/sori.")
    secret_keys: SecretList = Field(
        (), repr=False, description="Secrets of the default endpoint, comma-separated (rotation); any of them proves."
    )
    unsigned: bool = Field(
        default=False,
        description="Take unsigned events on the default endpoint, from anyone who knows the URL, stored as "
        "verified = 0; goes without secrets.",
    )
    endpoints_file: NamedPath | None = Field(
        None, description="TOML file of further endpoints; read again on SIGHUP and when it changes."
    )
    signature_scheme: Literal["hmac-sha256"] = Field("hmac-sha256", description="How bodies are signed.")
    signature_mode: Literal["enforce", "observe"] = Field(
        "enforce",
        description="observe: store what no signature proves all the same, as verified = 0, and count why; for finding "
        "out how SORI signs, while the URL is the only secret.",
    )
    max_clock_skew_s: float = Field(300.0, gt=0, description="How far created_at may lie ahead of our clock, seconds.")
    created_at_from: str = Field(
        "2000-01-01T00:00:00Z", description="Events created before this are invalid; 1970 at the earliest."
    )
    created_at_to: str = Field(
        "2100-01-01T00:00:00Z", description="Events created at this time or later are invalid; 7 February 2106 at most."
    )
    max_id_bytes: int = Field(
        512,
        ge=16,
        le=4096,
        description="Longest account, device, activity, campaign or material id; longer is invalid.",
    )
    absent_ids: CommaText = Field(
        "", description="More device and activity ids that mean there is none, comma-separated; case does not matter."
    )
    quarantine_unsigned: bool = Field(
        default=False,
        description="Quarantine what unsigned endpoints refuse too; whoever knows the URL can fill it.",
    )
    max_account_labels: int = Field(1000, ge=1, description="Accounts with metrics of their own; the rest share one.")

    # limits
    max_body_bytes: int = Field(1_048_576, gt=0, description="Largest body on the wire, bytes.")
    max_inflated_bytes: int = Field(
        4_194_304, gt=0, le=6_291_456, description="Largest body after inflating, bytes; max_body_bytes where unsigned."
    )
    max_header_bytes: int = Field(8_190, ge=1024, description="Longest header field, bytes; the URL may have 8,000.")
    max_headers: int = Field(64, ge=8, description="Most header fields.")
    header_timeout_s: float = Field(5.0, gt=0, description="Time for a new connection's first request head.")
    body_timeout_s: float = Field(3.0, gt=0, description="Time for a body to arrive once its head is there.")
    keepalive_timeout_s: float = Field(75.0, gt=0, description="How long an idle connection is kept.")
    max_connections: int = Field(
        4096, ge=1, description="Open connections; a further one takes the place of the one that waits longest."
    )
    max_in_flight: int = Field(2048, ge=1, description="Events being stored; further ones get 503 at once.")
    max_buffered_bytes: int = Field(
        268_435_456,
        gt=0,
        description="Bodies arriving or being stored, bytes as received; beyond that the oldest arriving one goes.",
    )
    rate_limit_per_s: float = Field(0.0, ge=0, description="Events per second of one account; 0 is no limit.")
    rate_burst: int = Field(1000, ge=1, description="Events an account may send at once under a rate limit.")

    # durability
    ack_timeout_s: float = Field(2.0, gt=0, description="How long to wait for Kafka before an event is spooled.")
    deadline_s: float = Field(4.0, gt=0, description="Any answer is given within this time; SORI waits 5 s.")
    spool_dir: NamedPath | None = Field(None, description="Where the spool is kept; default: spool under the data dir.")
    spool_max_bytes: int = Field(1_073_741_824, gt=0, description="Most event bytes of one process's spool.")
    spool_max_age_s: float = Field(86_400.0, gt=0, description="Oldest event a spool may hold and still take new ones.")
    spool_min_free_bytes: int = Field(67_108_864, ge=0, description="Disk space the spool leaves free.")
    drain_s: float = Field(10.0, gt=0, description="SIGTERM: time to serve what is in flight and flush.")

    @property
    def scheme(self) -> str:
        """What the webhooks' port speaks."""
        return "http" if self.tls_cert is None else "https"

    @model_validator(mode="after")
    def _consistent(self) -> "IngestSettings":
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key are set together")
        if self.unsigned and self.secret_keys:
            raise ValueError("unsigned = true goes without secret_keys")
        if self.ack_timeout_s >= self.deadline_s:
            raise ValueError("ack_timeout_s must be below deadline_s, or nothing is spooled in time")
        if self.max_buffered_bytes < self.max_body_bytes:
            raise ValueError("max_buffered_bytes must hold at least one body of max_body_bytes")
        return self
