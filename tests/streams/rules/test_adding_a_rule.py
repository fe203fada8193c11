"""A rule is one file: what is in the registry is checked, judged, alerted and explained, with nothing else touched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from sori.errors import ConfigError
from sori.settings.rules import Rule, RulesSettings
from sori.topics import FRAUD_ALERTS
from streams.operators.device import DeviceOperator
from streams.operators.place import PlaceOperator
from streams.rules import registry
from streams.rules.click_view import Exceeded
from streams.rules.judgement import exceeded
from streams.rules.place_view import PlaceFinding
from streams.rules.window_view import WindowFinding
from streams.state.output import Output
from streams.state.policy import TimePolicy
from testkit.paths import ROOT
from testkit.records import FakeRecord, event_record

POLICY = TimePolicy(10_000, 60_000, 3_600_000, 10**12)


class Toy(Rule):
    """The settings class of a new rule."""

    window_s: int = 60
    floor: int = 2


class WithToy(RulesSettings):
    """Its field."""

    toy: Toy = Toy()


class Common:
    """What every rule's file states."""

    NAME = "toy"
    TRAFFIC_CLASS = "SIVT"
    SUBJECT = "place"
    CORRECTABLE = False
    COUNTS_ALL = True
    WAITS = False
    JUDGES = ()
    lookback = 60_000

    def lookback_ms(self, rule: Toy, grid: object) -> int:  # noqa: ARG002 - as of every rule
        """How far it reads."""
        return self.lookback

    def reads_from_ms(self, end_ms: int, rule: Toy, grid: object) -> int:  # noqa: ARG002
        """From where."""
        return end_ms - self.lookback

    def gate(self, rule: Toy) -> int:
        """From when on."""
        return rule.floor


class ToyClick(Common):
    """After each click."""

    def evaluate(self, view: Any, rule: Toy) -> Exceeded | int:
        """Two clicks are too many."""
        kept = view.kept(view.end_ms - 60_000)
        few = len(kept) < rule.floor
        return rule.floor - len(kept) if few else Exceeded(exceeded(len(kept), 0.0, 2), view.end_ms - 60_000, kept)


class ToyCount(Common):
    """After each event from the gate on."""

    def evaluate(self, view: Any, rule: Toy) -> WindowFinding | None:
        """Two events are too many."""
        found = exceeded(view.cell.events, 0.0, rule.floor)
        return WindowFinding(found, view.start_ms, view.time_ms, (view.identity,)) if view.cell.events >= 2 else None


class ToyPlace(Common):
    """After each roll-up."""

    def evaluate(self, view: Any, rule: Toy) -> PlaceFinding | None:
        """Any click is too many."""
        window = view.between(view.end_ms - 60_000, view.end_ms)
        return PlaceFinding(exceeded(2, 0.0, rule.floor), view.end_ms - 60_000, window)


def alerts(outputs: list[Output]) -> list[dict[str, Any]]:
    """Of the toy rule."""
    lines = [line for output in outputs if output.topic is FRAUD_ALERTS for line in output.value.split(b"\n")]
    return [alert for line in lines if (alert := orjson.loads(line))["rule"] == "toy"]


def clicks(count: int) -> list[FakeRecord]:
    """Of one device."""
    return [event_record(n, event="campaign.click", identity=f"a{n}") for n in range(count)]


@pytest.mark.parametrize(("kind", "rule"), [("CLICK_RULES", ToyClick()), ("COUNT_RULES", ToyCount())])
def test_a_device_rule_in_the_registry_is_judged_and_alerted(monkeypatch, kind, rule):
    """One click or event is not enough for it, two are."""
    monkeypatch.setattr(registry, kind, (*getattr(registry, kind), rule))
    for count in (1, 2):
        operator = DeviceOperator(0, POLICY, WithToy())
        operator.apply(clicks(count))
        assert [alert["subject"] for alert in alerts(operator.flush()[0])] == ["dev_1"] * (count - 1)


def test_a_place_rule_in_the_registry_is_judged_and_alerted(monkeypatch):
    """Over the roll-ups of hop 1."""
    monkeypatch.setattr(registry, "PLACE_RULES", (*registry.PLACE_RULES, ToyPlace()))
    devices, places = DeviceOperator(0, POLICY, WithToy()), PlaceOperator(0, POLICY, WithToy())
    devices.apply(clicks(1))
    rolled = [output.value for output in devices.flush()[0] if output.topic.suffix.endswith("rollups")]
    places.apply([SimpleNamespace(offset=n, value=value, headers=(), timestamp=0) for n, value in enumerate(rolled)])
    assert [alert["subject_kind"] for alert in alerts(places.flush()[0])] == ["place"]


def test_an_account_may_override_the_new_rule_and_its_card_says_so(monkeypatch):
    """Settings, registry and `sori explain` need no other line."""
    monkeypatch.setattr(registry, "CLICK_RULES", (*registry.CLICK_RULES, ToyClick()))
    rules = WithToy.model_validate({"accounts": {"acc": {"toy": {"floor": 9}}}})
    card = registry.card("toy", rules, "acc", registry.Grid(10_000, 60_000))
    assert card is not None
    assert card.before_s == 60
    assert {parameter.name: parameter.value for parameter in card.parameters}["floor"] == 9


@pytest.mark.parametrize("kind", ["CLICK_RULES", "COUNT_RULES", "PLACE_RULES"])
def test_a_rule_that_looks_back_further_than_lateness_is_refused(monkeypatch, kind):
    """It could not be replayed exactly."""
    rule = Common()
    rule.lookback = 10**8
    monkeypatch.setattr(registry, kind, (*getattr(registry, kind), rule))
    with pytest.raises(ConfigError, match="toy looks back"):
        (PlaceOperator if kind == "PLACE_RULES" else DeviceOperator)(0, POLICY, WithToy())


def test_every_rule_has_settings_and_all_settings_have_a_rule():
    """Of the same name, and a test file of its own."""
    fields = {name for name, field in RulesSettings.model_fields.items() if isinstance(field.default, Rule)}
    assert set(registry.every_rule()) == fields
    assert all((ROOT / f"tests/streams/rules/test_{name}.py").exists() for name in fields)
