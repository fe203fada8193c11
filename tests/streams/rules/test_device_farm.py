"""Many devices of one place do the same at one pace."""

from __future__ import annotations

from sori.settings.rules import DeviceFarm
from streams.rules import device_farm


def test_a_rack_of_phones_is_a_farm_and_a_crowd_of_people_is_not():
    """Concentration on one behaviour."""
    rule = DeviceFarm()
    people = {f"Android|cmp|0,1,1|{pace}": 4 for pace in range(40)}
    assert device_farm.judge(people, 160, {}, rule) is None
    found = device_farm.judge({**people, "Android|cmp|1,1,1|9": 100}, 260, {}, rule)
    assert found is not None
    assert found.details["behaviour"] == "Android|cmp|1,1,1|9"
    assert device_farm.judge({"same": 20}, 20, {"same": 100}, rule) is None  # as it always was here


def test_a_script_on_the_border_of_two_paces_is_one_behaviour():
    """Jitter splits it, wherever the border lies; paces further apart, or of other behaviour, are not one."""
    rule = DeviceFarm()
    found = device_farm.judge({"iOS|a|b|1,1,1|7": 8, "iOS|a|b|1,1,1|8": 7}, 15, {}, rule)
    assert found is not None
    assert found.observed == 15
    assert found.details["behaviour"] == "iOS|a|b|1,1,1|7"
    assert device_farm.judge({"iOS|a|b|1,1,1|7": 8, "iOS|a|b|1,1,1|9": 7}, 15, {}, rule) is None
    assert device_farm.judge({"iOS|a|b|1,1,1|7": 8, "iOS|a|b|0,1,1|8": 7}, 15, {}, rule) is None
    assert device_farm.judge({"same": 5, "other": 5}, 10, {}, rule) is None


def test_a_few_devices_are_a_farm_where_hardly_anybody_does_anything_else():
    """As few as chance cannot make alike; what was done offline is stamped together, and not told by its pace."""
    rule = DeviceFarm()
    found = device_farm.judge({"Android|cmp|0,1,1|9": 6}, 6, {}, rule)
    assert found is not None
    assert (found.observed, found.floor) == (6, rule.quick_floor)
    assert device_farm.judge({"Android|cmp|0,1,1|9": 5}, 5, {}, rule) is None
    assert device_farm.judge({"Android|cmp|0,1,1|9": 6, "iOS|cmp|0,1,1|14": 1}, 7, {}, rule) is None
    assert device_farm.judge({"Android|cmp|0,1,1|9": 8, "iOS|cmp|0,1,1|14": 2}, 10, {}, rule) is not None
    assert device_farm.judge({"Android|cmp|0,1,1|9": 6}, 6, {"Android|cmp|0,1,1|9": 4}, rule) is None
    assert device_farm.judge({"Android|cmp|0,1,1|0": 8}, 8, {}, rule) is None
    slow = DeviceFarm(quick_part=1)
    assert device_farm.judge({"Android|cmp|0,1,1|9": 8}, 8, {}, slow) is None
