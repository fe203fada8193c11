"""How every stage reaches Kafka."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from sori.errors import ConfigError
from sori.settings.kafka_checks import contradictions, missing
from sori.settings.kafka_login import KafkaLogin, Stage
from sori.settings.types import CommaText, NamedPath


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class KafkaSettings(KafkaLogin):
    """Client settings shared by every stage."""

    bootstrap: CommaText = Field("127.0.0.1:9092", description="Bootstrap servers, host:port, comma-separated.")
    topic_prefix: str = Field("sori.", description="Prefix of every topic name.")
    request_timeout_s: float = Field(10.0, gt=0, description="Bound on every Kafka call of ours, seconds.")
    replication: int = Field(1, ge=1, description="Replicas per topic (3 in production).")
    event_partitions: int = Field(6, ge=1, description="Partitions of the events topic: the ceiling of stream workers.")
    security_protocol: Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)] = (
        Field("PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL: what the listener speaks.")
    )
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"], BeforeValidator(_upper)
    ] = Field("PLAIN", description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.")
    tls_ca: NamedPath | None = Field(
        None, description="PEM certificates that signed the brokers'; without it those of the system."
    )
    tls_check_hostname: bool = Field(
        default=True, description="Whether the broker's certificate must carry the name that we connect to."
    )
    oauth_token_url: str = Field("", description="Where an OAuth client gets its token (client credentials).")
    oauth_scope: str = Field("", description="Scope to ask for, if any.")
    ingest: KafkaLogin = KafkaLogin()
    streams: KafkaLogin = KafkaLogin()
    sinks: KafkaLogin = KafkaLogin()
    notify: KafkaLogin = KafkaLogin()
    api: KafkaLogin = KafkaLogin()
    admin: KafkaLogin = KafkaLogin()

    #: Where the login in force stands: `kafka`, or `kafka.ingest`.
    _place: str = "kafka"

    def of(self, stage: Stage) -> KafkaSettings:
        """The same Kafka as this stage's user. Raises ConfigError when nothing says who that is."""
        chosen = self._as(stage)
        if lacking := missing(chosen, f"kafka.{stage}"):
            raise ConfigError(lacking)
        return chosen

    def principal_of(self, stage: Stage) -> str:
        """Kafka's name for a stage, whose secrets need not be known here."""
        return self._as(stage).acl_principal

    def _as(self, stage: Stage) -> KafkaSettings:
        proof = self.login_of(stage).proof()
        chosen = self.model_copy(update=proof)
        chosen._place = f"kafka.{stage}" if proof.keys() - {"principal"} else "kafka"  # noqa: SLF001 - of our own
        return chosen

    def login_of(self, stage: Stage) -> KafkaLogin:
        """What is set for this stage alone."""
        login: KafkaLogin = getattr(self, stage)
        return login

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def sasl(self) -> bool:
        """Whether a user is named."""
        return self.security_protocol.startswith("SASL")

    @property
    def user_setting(self) -> str:
        """Which setting says who we are, for messages."""
        if not self.sasl:
            return f"{self._place}.tls_cert" if self.tls else "kafka.security_protocol"
        if self.sasl_mechanism != "OAUTHBEARER":
            return f"{self._place}.sasl_username"
        return f"{self._place}.oauth_token_path" if self.oauth_token_path else f"{self._place}.oauth_client_id"

    @property
    def acl_principal(self) -> str:
        """Kafka's name for us: what is set, else the user; ANONYMOUS where nobody is named."""
        if self.principal:
            return self.principal if ":" in self.principal else f"User:{self.principal}"
        if not self.sasl:
            return "User:ANONYMOUS"
        name = self.oauth_client_id if self.sasl_mechanism == "OAUTHBEARER" else self.sasl_username
        return f"User:{name or 'ANONYMOUS'}"

    @model_validator(mode="after")
    def _security_fits(self) -> Self:
        if problems := contradictions(self):
            raise ValueError("; ".join(problems))
        return self


def is_embedded(kafka: KafkaSettings) -> bool:
    """Whether nothing says that Kafka runs elsewhere: `sori up` then runs its own broker, which speaks plainly."""
    return kafka.bootstrap == KafkaSettings().bootstrap and not (kafka.tls or kafka.sasl)
