"""What happens to all of an account's traffic for some minutes: outages, storms of retries, bugs of a release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from simulator.field.acts import clicked
from simulator.field.draws import drawn
from simulator.field.ground import Ground, honest
from simulator.field.people import late
from simulator.places import Place
from simulator.plan import Draft, Habit, Range
from sori.events import CLICK, IMPRESSION, UNKNOWN

NOWHERE = Place(UNKNOWN, UNKNOWN, UNKNOWN, 0.0, 0.0, 0)
Change = Callable[[Draft, Random], Iterator[Draft]]


@dataclass(frozen=True)
class Weather:
    """One spell. `account_id` empty: everybody's; `fails`: chance that an attempt fails, None: as usual."""

    truth: Habit
    account_id: str
    change: Change | None = None
    fails: float | None = None

    def touches(self, draft: Draft) -> bool:
        """Whether this event is in it."""
        truth = self.truth
        return truth.start_ms <= draft.at_ms < truth.end_ms and self.account_id in {"", draft.account_id}


def changed(draft: Draft, spells: Sequence[Weather], rng: Random) -> Iterator[Draft]:
    """The draft as it comes through all the weather it is in: none, one or two events."""
    drafts = [draft]
    for spell in spells:
        if spell.touches(draft):
            if spell.change is not None:
                drafts = [new for old in drafts for new in spell.change(old, rng)]
            drafts = [_marked(one, spell.truth.id) for one in drafts]
    return iter(drafts)


def spells_of(ground: Ground, rng: Random, count: int) -> list[Weather]:
    """Draw so many, each kind about as often."""
    kinds = list(_KINDS)
    rng.shuffle(kinds)
    return [_KINDS[kinds[number % len(kinds)]](ground, Random(rng.random())) for number in range(count)]


def _marked(draft: Draft, habit: str) -> Draft:
    return draft if draft.label or draft.habit else draft._replace(habit=habit)


def _spell(
    ground: Ground,
    rng: Random,
    kind: str,
    lasts_s: Range,
    change: Change | None = None,
    *,
    fails: float | None = None,
    everybody: bool = False,
) -> Weather:
    account_id = "" if everybody else ground.world.by_size(rng).id
    return Weather(honest(ground.name(kind), account_id, ground.window(rng, lasts_s)), account_id, change, fails)


def _geo_outage(ground: Ground, rng: Random) -> Weather:
    """CloudFront answers Unknown for minutes, for everybody or for one account's distribution."""
    share = rng.choice((1.0, 1.0, rng.uniform(0.3, 0.9)))

    def change(draft: Draft, chance: Random) -> Iterator[Draft]:
        if draft.device is not None and chance.random() < share:
            draft = draft._replace(device=draft.device._replace(place=NOWHERE))
        yield draft

    return _spell(ground, rng, "geo_outage", (120, 900), change, everybody=rng.random() < 0.5)


def _retry_storm(ground: Ground, rng: Random) -> Weather:
    """The receiver is slow or restarts: most first attempts fail, many events come twice (AWS on retry storms)."""
    return _spell(ground, rng, "retry_storm", (60, 480), fails=rng.uniform(0.3, 0.7))


def _late_impressions(ground: Ground, rng: Random) -> Weather:
    """A queue before SORI is jammed: impressions come or are stamped 30 to 240 s late, clicks do not."""
    share = rng.uniform(0.4, 1.0)

    def change(draft: Draft, chance: Random) -> Iterator[Draft]:
        yield late(chance, draft) if draft.event == IMPRESSION and chance.random() < share else draft

    return _spell(ground, rng, "late_impressions", (300, 1500), change)


def _lost_impressions(ground: Ground, rng: Random) -> Weather:
    """A third to two thirds of the impressions are never heard of."""
    share = rng.uniform(0.3, 0.65)

    def change(draft: Draft, chance: Random) -> Iterator[Draft]:
        if draft.event != IMPRESSION or chance.random() >= share:
            yield draft

    return _spell(ground, rng, "lost_impressions", (300, 1500), change)


def _double_click_bug(ground: Ground, rng: Random) -> Weather:
    """A release of one platform's SDK reports each tap twice, some with an id of their own."""
    platform, own_id = rng.choice(("Android", "iOS")), rng.random() < 0.7

    def change(draft: Draft, chance: Random) -> Iterator[Draft]:
        yield draft
        if draft.event == CLICK and draft.device is not None and draft.device.platform == platform:
            yield clicked(chance, draft, chance.randint(30, 450), own_id=own_id)

    return _spell(ground, rng, "double_click_bug", (600, 3600), change)


def _no_device_ids(ground: Ground, rng: Random) -> Weather:
    """A release sends no device id, or the same one for everybody."""
    told = rng.choice((None, None, "null", "0", "device", "11111111-1111-1111-1111-111111111111"))
    share = rng.uniform(0.1, 0.6)

    def change(draft: Draft, chance: Random) -> Iterator[Draft]:
        if draft.device is not None and chance.random() < share:
            draft = draft._replace(device=draft.device._replace(id=told))
        yield draft

    return _spell(ground, rng, "no_device_ids", (300, 1800), change)


def _busy(ground: Ground, rng: Random) -> Weather:
    """An endpoint that is overloaded for longer, and fails now and then."""
    return _spell(ground, rng, "slow_endpoint", (600, 3600), fails=drawn(rng, (0.05, 0.2)))


_KINDS: dict[str, Callable[[Ground, Random], Weather]] = {
    "geo_outage": _geo_outage,
    "retry_storm": _retry_storm,
    "late_impressions": _late_impressions,
    "lost_impressions": _lost_impressions,
    "double_click_bug": _double_click_bug,
    "no_device_ids": _no_device_ids,
    "slow_endpoint": _busy,
}
