"""Who may ask the API."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AccessSettings(BaseModel):
    """Settings of the API's access control and of its alert streams."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    anonymous: Literal["loopback", "always", "never"] = Field(
        "loopback",
        description="When requests without a token are answered: `loopback`, if the API listens on this machine's "
        "own address; `always`, only behind something else that guards it; `never`.",
    )
    rate_per_s: float = Field(50.0, gt=0, description="Requests per second of one token, in the long run.")
    rate_burst: int = Field(100, gt=0, description="Requests of one token at once.")
    stream_clients: int = Field(5000, gt=0, description="Most alert streams open at the same time.")
    stream_keep: int = Field(10_000, gt=0, description="Alerts kept in memory for streams; a slower one starts over.")
    heartbeat_s: float = Field(15.0, gt=0, description="Longest silence on an alert stream, seconds.")
    write_timeout_s: float = Field(10.0, gt=0, description="A stream whose client takes nothing for so long is ended.")
