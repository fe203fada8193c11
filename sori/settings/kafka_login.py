"""As whom a stage reaches Kafka: a password, a certificate, or a token."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sori.settings.types import NamedPath, no_placeholder


def _given(value: object) -> object:
    if value == "":
        raise ValueError("is empty; leave it out to have none")
    return no_placeholder(value)


#: Who may have a user of its own: the stages, and `admin` for the commands of an operator.
Stage = Literal["ingest", "streams", "sinks", "notify", "api", "admin"]
STAGES: tuple[Stage, ...] = ("ingest", "streams", "sinks", "notify", "api", "admin")

#: Never empty: whoever gives an empty password or user has lost one.
GivenText = Annotated[str, BeforeValidator(_given)]

#: Each kind of proof is taken whole, from the stage or from the group, so that no user meets another one's password.
PROOFS = (
    ("sasl_username", "sasl_password"),
    ("tls_cert", "tls_key", "tls_key_password"),
    ("oauth_client_id", "oauth_client_secret", "oauth_token_path"),
)


class KafkaLogin(BaseModel):
    """A user of Kafka."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sasl_username: GivenText | None = Field(None, description="User for PLAIN and SCRAM; set with sasl_password.")
    sasl_password: GivenText | None = Field(None, repr=False, description="Its password.")
    tls_cert: NamedPath | None = Field(None, description="PEM certificate chain of the client; set with tls_key.")
    tls_key: NamedPath | None = Field(None, description="PEM private key; both are read again when a file changes.")
    tls_key_password: GivenText | None = Field(None, repr=False, description="Password of the private key, if any.")
    oauth_client_id: GivenText | None = Field(None, description="OAuth client; set with oauth_client_secret.")
    oauth_client_secret: GivenText | None = Field(None, repr=False, description="Its secret.")
    oauth_token_path: NamedPath | None = Field(
        None, description="File with a bearer token, read at each login; instead of an OAuth client."
    )
    principal: str = Field(
        "", description="Who Kafka says this is, for `sori topics acls`; empty: User:<name of the user or client>."
    )

    def proof(self) -> dict[str, object]:
        """What is given here, each kind whole; who proves something else is somebody else too."""
        kinds = [kind for kind in PROOFS if any(getattr(self, name) for name in kind)]
        given: dict[str, object] = {name: getattr(self, name) for kind in kinds for name in kind}
        return {**given, "principal": self.principal} if given or self.principal else {}
