"""What the stream workers know of their rules, for the API and for `sori explain`: neither imports them itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sori.settings import Settings


def cards(settings: Settings) -> Callable[[str, str], dict[str, Any] | None]:
    """A rule and an account to the rule's card with the account's thresholds; None where there is no such rule."""
    from streams.rules.click_view import Grid
    from streams.rules.registry import card
    from streams.state.policy import TimePolicy

    policy = TimePolicy.of(settings.streams)
    grid = Grid(policy.pane_ms, policy.window_ms, policy.grace_ms)

    def of(rule: str, account: str) -> dict[str, Any] | None:
        found = card(rule, settings.rules, account, grid)
        return asdict(found) if found else None

    return of
