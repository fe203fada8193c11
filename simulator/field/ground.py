"""What a plant may know: the world, the span, and which places, campaigns and devices are free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from simulator.event_order import in_order
from simulator.field.draws import Level, drawn
from simulator.field.world import FieldAccount, FieldWorld
from simulator.places import Place
from simulator.plan import Attack, Campaign, Device, Draft, Habit, Planted, Range, Span

_QUIET_SHARE = 0.2  # of the span at its beginning, in which nothing is planted: rules may learn
_NEWCOMERS = 1 << 24
T = TypeVar("T")


@dataclass
class Ground:
    """Planting happens once, before the first event."""

    world: FieldWorld
    seed: int
    span: Span
    rate: float
    _taken: set[object] = field(default_factory=set)
    _names: dict[str, int] = field(default_factory=dict)
    _newcomers: int = _NEWCOMERS

    def name(self, kind: str) -> str:
        """A label of its own."""
        self._names[kind] = self._names.get(kind, 0) + 1
        return f"{kind}-{self._names[kind]}"

    def window(self, rng: Random, lasts_s: Range) -> Span:
        """A stretch somewhere after the quiet beginning; shorter where the span is short."""
        begins = self.span.at(_QUIET_SHARE)
        length = int(min(drawn(rng, lasts_s), 0.75 * (1 - _QUIET_SHARE) * self.span.seconds) * 1000)
        start = rng.randint(begins, max(begins, self.span.end_ms - length - 45_000))
        return Span(start, min(start + length, self.span.end_ms))

    def account(self, rng: Random, *, least: float = 0.0) -> FieldAccount:
        """Any account of at least this share of the traffic: small ones are attacked as often as big ones."""
        return rng.choice([account for account in self.world.accounts if account.size >= least])

    def place(self, rng: Random, account: FieldAccount) -> Place:
        """One of its places that nothing else was planted in, while there are."""
        return self._free(rng, account.places, account.id)

    def campaign(self, rng: Random, account: FieldAccount) -> Campaign:
        """One of its campaigns, likewise."""
        return self._free(rng, account.campaigns, account.id)

    def _free(self, rng: Random, among: tuple[T, ...], account_id: str) -> T:
        free = [one for one in among if (account_id, one) not in self._taken]
        one = rng.choice(free or list(among))
        self._taken.add((account_id, one))
        return one

    def newcomers(self, account: FieldAccount, place: Place, count: int) -> list[Device]:
        """Devices nobody has seen before."""
        first, self._newcomers = self._newcomers, self._newcomers + count
        return [account.device(place, first + number) for number in range(count)]

    def residents(self, rng: Random, account: FieldAccount, count: int, place: Place | None = None) -> list[Device]:
        """Devices of the account's people, of one place or of all; fewer where there are not so many."""
        found: dict[str | None, Device] = {}
        for _ in range(20 * count):
            if len(found) == count:
                break
            where = place or rng.choice(account.places)
            device = account.device(where, rng.randrange(max(1, account.devices[where])))
            if device.id not in self._taken:
                found[device.id] = device
        self._taken.update(found)
        return list(found.values())


def attack(  # noqa: PLR0917 - one record, in its own order
    name: str,
    level: Level,
    account: FieldAccount,
    window: Span,
    about: tuple[str, str],
    evidence: int,
    waits_s: float = 0.0,
) -> Attack:
    """The truth about an attack; `about` is its main subject, as (kind, name)."""
    return Attack(
        id=name,
        kind=name.rpartition("-")[0],
        rule="",
        account_id=account.id,
        subject_kind=about[0],
        subject=about[1],
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        level=level,
        evidence=evidence,
        waits_s=waits_s,
    )


def honest(name: str, account_id: str, window: Span, *, airing: bool = False) -> Habit:
    """The truth about a habit."""
    return Habit(name, name.rpartition("-")[0], account_id, window.start_ms, window.end_ms, airing)


def planted(truth: Attack | Habit, expected: float, rng: Random, make: Callable[[Random], Iterable[Draft]]) -> Planted:
    """Something planted; its drafts are the same however often they are drawn, and marked with its name."""
    chance = rng.random()

    def drafts() -> Iterator[Draft]:
        label, habit = (truth.id, None) if isinstance(truth, Attack) else (None, truth.id)
        return in_order(draft._replace(label=label, habit=habit) for draft in make(Random(chance)))

    return Planted((truth,), expected, drafts)
