"""Delivery of fraud alerts."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sori.alerting.targets import Network, networks
from sori.errors import ConfigError
from sori.settings.types import CommaText, SecondsList

_DAY_S = 86_400.0


class NotifySettings(BaseModel):
    """Settings of `sori notify`, and of who may subscribe to what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow_http: bool = Field(default=False, description="Accept http:// subscribers; else https only.")
    allow_networks: CommaText = Field(
        "", description="Address ranges (CIDR, comma-separated) that webhooks may go to although they are not public."
    )
    retry_delays_s: SecondsList = Field(
        (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400),
        description="Waits before the second, third, … attempt of a delivery, seconds; each jittered by up to a fifth.",
    )
    disable_after_s: float = Field(
        5 * _DAY_S, gt=0, description="A subscriber that takes nothing for so long is disabled; its alerts are kept."
    )
    pause_max_s: float = Field(
        60.0, gt=0, description="Longest pause between two attempts at a failing subscriber with work due, seconds."
    )
    retry_after_max_s: float = Field(_DAY_S, gt=0, description="Longest Retry-After that is heeded, seconds.")
    timeout_s: float = Field(15.0, gt=0, description="Longest wait for a subscriber's answer, seconds.")
    connect_timeout_s: float = Field(5.0, gt=0, description="Longest wait for a connection to a subscriber, seconds.")
    concurrency: int = Field(4, gt=0, description="Attempts at the same time per subscriber.")
    window: int = Field(256, gt=0, description="Most alerts waiting in memory per subscriber; more wait in Kafka.")
    rotation_grace_s: float = Field(_DAY_S, ge=0, description="How long a rotated secret signs too, seconds.")
    save_interval_s: float = Field(0.2, gt=0, description="Pause between two saves of where deliveries stand, seconds.")
    admin_port: int = Field(
        8084, ge=0, le=65535, description="Port of /healthz and /metrics; 0: off, or free in `sori up`."
    )
    admin_host: str = Field("127.0.0.1", description="Address of /healthz and /metrics.")

    @field_validator("allow_networks")
    @classmethod
    def _parses(cls, value: str) -> str:
        try:
            networks(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value

    @property
    def allowed(self) -> tuple[Network, ...]:
        """The allowed ranges, parsed."""
        return networks(self.allow_networks)
