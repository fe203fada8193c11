"""The read side."""

from pydantic import BaseModel, ConfigDict, Field


class ApiSettings(BaseModel):
    """Settings of `sori api`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8081, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
