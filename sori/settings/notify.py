"""Delivery of fraud alerts."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sori.alerting.mail import is_mail, recipients
from sori.alerting.targets import Network, check_url, networks
from sori.errors import ConfigError
from sori.settings.types import CommaText, SecondsList, SecretText

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
    smtp_host: str = Field("", description="Server that e-mails go through; empty: none is sent.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port: usually 587 with starttls, 465 with tls.")
    smtp_tls: Literal["starttls", "tls", "off"] = Field(
        "starttls", description="Encryption: asked for after connecting, from the first byte on, or none."
    )
    smtp_ca: str = Field("", description="File of the authorities to trust (PEM); empty: those of the system.")
    smtp_username: str = Field("", description="Who we are at the server; empty: it asks for none.")
    smtp_password: SecretText = Field("", repr=False, description="The password for that.")
    smtp_from: str = Field("", description="Sender of the e-mails; empty: `smtp_username`.")
    mail_domains: CommaText = Field(
        "", description="Domains that e-mail may go to, comma-separated, such as example.com; empty: any."
    )
    concurrency: int = Field(4, gt=0, description="Attempts at the same time per subscriber.")
    window: int = Field(256, gt=0, description="Most alerts waiting in memory per subscriber; more wait in Kafka.")
    rotation_grace_s: float = Field(_DAY_S, ge=0, description="How long a rotated secret signs too, seconds.")
    save_interval_s: float = Field(0.2, gt=0, description="Pause between two saves of where deliveries stand, seconds.")
    incident_gap_s: float = Field(
        300.0, ge=0, description="Alerts about one thing that lie no further apart are one incident, seconds."
    )
    incident_group: str = Field("sori-incidents", description="Consumer group that says how far incidents are made.")
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
    def allowed_mail_domains(self) -> frozenset[str]:
        """The domains of `mail_domains`."""
        return frozenset(part.strip().lower() for part in self.mail_domains.split(",") if part.strip())

    def check_target(self, url: str) -> None:
        """Raise ConfigError with the reason when no alert may go to this address."""
        if is_mail(url):
            recipients(url, self.allowed_mail_domains)
        else:
            check_url(url, allow_http=self.allow_http, allowed=self.allowed)

    @property
    def allowed(self) -> tuple[Network, ...]:
        """The allowed ranges, parsed."""
        return networks(self.allow_networks)
