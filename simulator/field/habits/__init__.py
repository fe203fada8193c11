"""Odd but honest: what real customers do that a nervous guard would call fraud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from simulator.field.ground import Ground
from simulator.field.habits.airings import city_spot, national_spot, regional_spot, spot_late, spot_lost
from simulator.field.habits.bursts import newsletter, push_burst, qr_giveaway, qr_on_tv, stadium
from simulator.field.habits.growth import campaign_launch, new_account, new_city
from simulator.field.habits.logins import forced_login, morning_login
from simulator.field.habits.machines import heavy_user, kiosk, offline_batch, shared_box, staff_test
from simulator.field.habits.networks import border, carrier_gateways, private_relay, vpn_once
from simulator.plan import Planted

Plant = Callable[[Ground, Random], Planted]
HABITS: Mapping[str, Plant] = {
    plant.__name__: plant
    for plant in (
        city_spot,
        regional_spot,
        national_spot,
        spot_late,
        spot_lost,
        push_burst,
        newsletter,
        qr_giveaway,
        qr_on_tv,
        stadium,
        campaign_launch,
        new_account,
        new_city,
        forced_login,
        morning_login,
        heavy_user,
        kiosk,
        offline_batch,
        shared_box,
        staff_test,
        border,
        carrier_gateways,
        private_relay,
        vpn_once,
    )
}
