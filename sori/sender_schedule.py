"""When SORI delivers: the one place from which every grace follows that assumes an order of arrival.

The contract says: an answer within five seconds, up to three retries, exponential backoff between them. It does not say
how long the first pause is; a second, doubling, is assumed here and in the simulator. So of two events that happened
one after the other the first may arrive half a minute after the second, and nobody is at fault. `streams.sender` in
the settings is for a deployment whose sender, or whose proxy in front of us, keeps another schedule.

What follows from it: how long a click waits for its impression before click_without_impression counts it
(`TimePolicy.grace_ms`), how long fast_click takes a click without a known impression for an ordinary one, and how long
geo_auth_burst waits for impressions after sign-ins. Rates of places and campaigns, and farms, are judged at once, since
an alert is wanted within seconds, and put right when an impression comes late: see `streams/alerts/corrections.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SenderSchedule:
    """Times in seconds; pauses vary by ±`jitter`."""

    timeout_s: float = 5.0
    retries: int = 3
    first_backoff_s: float = 1.0
    backoff_factor: float = 2.0
    jitter: float = 0.2

    @property
    def longest_delay_s(self) -> float:
        """From the first attempt to the end of the last one: all of them time out but the last, which just does not."""
        pauses = sum(self.first_backoff_s * self.backoff_factor**retry for retry in range(self.retries))
        return (self.retries + 1) * self.timeout_s + pauses * (1 + self.jitter)


#: As the contract has it.
CONTRACT = SenderSchedule()
