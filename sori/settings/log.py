"""Logs."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LogSettings(BaseModel):
    """How a process logs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level shown.")
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json.")
    repeat_s: float = Field(
        30.0,
        ge=0,
        description="A library's line that repeats itself is shown once in so many seconds, with a count; 0 shows all.",
    )
