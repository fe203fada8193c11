"""How the sender of events delivers; see sori/sender_schedule.py for what follows from it."""

from pydantic import BaseModel, ConfigDict, Field

from sori.sender_schedule import CONTRACT, SenderSchedule


class SenderSettings(BaseModel):
    """The sender's schedule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout_s: float = Field(CONTRACT.timeout_s, gt=0, description="How long the sender waits for an answer, seconds.")
    retries: int = Field(CONTRACT.retries, ge=0, le=20, description="How often it tries again.")
    first_backoff_s: float = Field(CONTRACT.first_backoff_s, ge=0, description="Its pause before the first retry.")
    backoff_factor: float = Field(CONTRACT.backoff_factor, ge=1, description="How much longer each further pause is.")
    jitter: float = Field(CONTRACT.jitter, ge=0, le=1, description="Share by which a pause may be longer.")

    @property
    def schedule(self) -> SenderSchedule:
        """The same, as what graces follow from."""
        return SenderSchedule(self.timeout_s, self.retries, self.first_backoff_s, self.backoff_factor, self.jitter)
