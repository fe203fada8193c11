"""What attacks share: who takes part, and drafts that can be drawn again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random

from simulator.event_order import in_order
from simulator.plan import Attack, Device, Draft, Planted, Range, Span
from simulator.planting import Planting
from simulator.world import Account


def whole(rng: Random, bounds: Range) -> int:
    """A whole number, both bounds included."""
    return rng.randint(int(bounds[0]), int(bounds[1]))


def viewers(ground: Planting, rng: Random, account: Account, count: int) -> list[Device]:
    """Distinct devices of the account's population, at home wherever they are."""
    found: dict[str | None, Device] = {}
    while len(found) < count:
        device = account.any_device(rng.choice(account.places), rng)
        if device.id not in ground.suspects:
            found[device.id] = device
    ground.suspects.update(found)
    return list(found.values())


def by_device(label: str, kind: str, rule: str, window: Span, devices: Iterable[Device]) -> tuple[Attack, ...]:
    """One truth per device: each must be found."""
    return tuple(
        Attack(
            id=label,
            kind=kind,
            rule=rule,
            account_id=device.account_id,
            subject_kind="device",
            subject=str(device.id),
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )
        for device in devices
    )


def staged(
    truth: tuple[Attack, ...], expected_events: float, rng: Random, make: Callable[[Random], Iterable[Draft]]
) -> Planted:
    """Something planted whose drafts are the same however often they are drawn."""
    chance = rng.random()

    def drafts() -> Iterator[Draft]:
        return in_order(make(Random(chance)))

    return Planted(truth, expected_events, drafts)


def moments(rng: Random, window: Span, count: int, lead_ms: int = 0) -> list[int]:
    """Times scattered evenly over the window, in order."""
    return sorted(int(rng.uniform(window.start_ms + lead_ms, window.end_ms)) for _ in range(count))
