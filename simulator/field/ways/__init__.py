"""Ways of attack. Each draws its particulars by level: obvious, should (an analyst calls it fraud) or stealthy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from simulator.field.draws import Level
from simulator.field.ground import Ground
from simulator.field.ways.campaigns import campaign_drain, retargeted_mix, sdk_spoofing
from simulator.field.ways.devices import device_flood, ghost_device, repeated_taps, slow_clicker
from simulator.field.ways.farms import city_ghosts, farm, foreign_rack, id_resets
from simulator.field.ways.hopping import auth_stuffing, country_alternation, impression_fraud, place_auth_burst
from simulator.field.ways.injection import foreign_injection, injection, one_id_many_devices
from simulator.plan import Planted

Way = Callable[[Ground, Random, Level], Planted]
WAYS: Mapping[str, Way] = {
    way.__name__: way
    for way in (
        device_flood,
        slow_clicker,
        ghost_device,
        repeated_taps,
        city_ghosts,
        farm,
        foreign_rack,
        id_resets,
        injection,
        foreign_injection,
        one_id_many_devices,
        place_auth_burst,
        auth_stuffing,
        country_alternation,
        impression_fraud,
        campaign_drain,
        retargeted_mix,
        sdk_spoofing,
    )
}
