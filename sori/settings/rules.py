"""Parameters of the fraud rules, with units."""

from pydantic import BaseModel, ConfigDict


class RulesSettings(BaseModel):
    """One field per rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")
