"""The registry of scenarios."""

from __future__ import annotations

from simulator.attacks.city_flood import CityFlood
from simulator.attacks.device_flood import DeviceFlood
from simulator.attacks.farm import Farm
from simulator.attacks.odd_devices import AuthStuffing, GeoHopper, ImpressionFlood, SlowRamp
from simulator.attacks.quiet_flood import QuietFlood
from simulator.attacks.scripted_clicks import DuplicateClicks, click_injection, ghost_clicks
from simulator.crowds import AiredSpot
from simulator.habits import CampaignLaunch, DenseCity, SharedDevice
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
    Scenario("quiet-flood", "dozens of devices all over click one campaign, each slowly", plants=(QuietFlood(),)),
    Scenario("click-injection", "devices click a moment after the impression", plants=(click_injection(),)),
    Scenario("ghost-clicks", "devices click what they were never shown", plants=(ghost_clicks(),)),
    Scenario("duplicate-clicks", "devices tap one banner again and again", plants=(DuplicateClicks(),)),
    Scenario("device-farm", "a rack of phones in one place runs one script", plants=(Farm(),)),
    Scenario("geo-hopping", "devices are all over the globe within minutes", plants=(GeoHopper(),)),
    Scenario("auth-stuffing", "devices authenticate without end", plants=(AuthStuffing(),)),
    Scenario("impression-flood", "devices show banners without end", plants=(ImpressionFlood(),)),
    Scenario("slow-ramp", "one device clicks faster and faster, slowly", plants=(SlowRamp(),)),
    Scenario("regional-spot", "a spot airs in one region; nothing is wrong", plants=(AiredSpot(reach="region"),)),
    Scenario("national-spot", "a spot airs in a whole country; nothing is wrong", plants=(AiredSpot(reach="country"),)),
    Scenario("campaign-launch", "a new campaign takes off; nothing is wrong", plants=(CampaignLaunch(),)),
    Scenario("shared-device", "tablets on a shop's counter; nothing is wrong", plants=(SharedDevice(),)),
    Scenario("dense-city", "a stadium behind one address; nothing is wrong", plants=(DenseCity(),)),
    Scenario(
        "retry-storm",
        "the sender repeats and delays half of its events; nothing is wrong",
        duplicates=(0.3, 0.6),
        most_copies=4,
        copy_within_ms=30_000,
        disorder=(0.3, 0.6),
        disorder_ms=25_000,
    ),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
