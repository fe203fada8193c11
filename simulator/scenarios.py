"""The registry of scenarios."""

from __future__ import annotations

from simulator.attacks.city_flood import CityFlood
from simulator.attacks.device_flood import DeviceFlood
from simulator.crowds import AiredSpot
from simulator.scenario import Scenario

_ALL = (
    Scenario("calm", "ordinary traffic only"),
    Scenario(
        "demo",
        "an aired spot, then a click flood by one device and one by a city",
        plants=(AiredSpot(), DeviceFlood(), CityFlood()),
    ),
    Scenario("flash-crowd", "a spot airs in one city; nothing is wrong", plants=(AiredSpot(),)),
    Scenario("device-flood", "one device floods clicks", plants=(DeviceFlood(),)),
    Scenario("city-flood", "many devices of one city flood clicks", plants=(CityFlood(),)),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
