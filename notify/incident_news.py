"""Which records of incidents people are told: what opened, got graver, ended. Pure.

A record says itself whether it is news. One thing it cannot know: that an incident which a subscriber's filter left out
so far now passes it, because an alert of the asked-for rule joined.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from sori.alerting.alert import ENDED
from sori.alerting.incident import NEWS, IncidentNotice

_MOST_KNOWN = 10_000


@dataclass(slots=True)
class IncidentNews:
    """What one queue has left out so far. After a restart this is not known, and such an incident is told when it ends
    or gets graver."""

    _left_out: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def is_news(self, notice: IncidentNotice, *, passes: bool) -> bool:
        """Take note of a record; whether a person is to be told of it. `passes`: the subscriber's filter."""
        before = notice.alert_id in self._left_out
        if passes or notice.state in ENDED:
            self._left_out.pop(notice.alert_id, None)
        else:
            self._left_out[notice.alert_id] = None
            if len(self._left_out) > _MOST_KNOWN:
                self._left_out.popitem(last=False)
        return passes and (notice.change in NEWS or before)
