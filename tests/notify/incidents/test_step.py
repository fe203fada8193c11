"""Two rules about one device and campaign: one incident, one message that it opened and one that it is over."""

from __future__ import annotations

import orjson

from runtime.kafka.compacted_table import CompactedTable
from sori.topics import INCIDENTS
from testkit.alerts import Receiver, alert, producing, publish, subscribe, subscription
from testkit.stage_process import StageProcess
from testkit.wait import wait_until
from tests.notify.conftest import LOCAL

DEVICE = alert(alert_id="by_device", evidence={"campaigns": {"Spring": 64}})
CAMPAIGN = alert(
    alert_id="by_campaign", rule="ctr_anomaly", subject_kind="campaign", subject="Spring", evidence={"campaigns": {}}
)
OTHER = alert(alert_id="other", account_id="acc_2")


def over(one: dict[str, object]) -> dict[str, object]:
    """The record that ends an alert."""
    return {**one, "state": "closed", "closed_at": "2026-11-24T14:53:00.000Z", "version": 8}


async def test_an_incident_larger_than_a_producers_default_is_written(topics):
    """Names may be long, and each of their characters six bytes of JSON."""
    async with CompactedTable(topics, INCIDENTS).running() as table:
        await table.put("large", b"x" * 2_000_000)
        assert len(table.values["large"]) == 2_000_000


async def test_one_incident_one_message_opened_one_closed_over_kill_9(topics, tmp_path):
    """A real `sori notify`, killed between its alerts; a machine gets each alert, as before."""
    env = {f"SORI_NOTIFY__{name.upper()}": str(value) for name, value in LOCAL.items()}
    process = StageProcess("notify", topics, tmp_path / "notify.log", env)
    people, machine = Receiver(), Receiver()
    async with people.running(), machine.running(), producing(topics) as producer:
        table = CompactedTable(topics, INCIDENTS)
        await subscribe(
            producer,
            topics,
            subscription(people.url, format="slack", per="incident"),
            subscription(machine.url),
        )

        def states() -> dict[tuple[str, str], tuple[str, int]]:
            found = [orjson.loads(value) for value in table.values.values()]
            return {(one["account_id"], one["incident_id"]): (one["state"], one["alert_count"]) for one in found}

        async with table.running():
            try:
                process.start()
                await publish(producer, topics, DEVICE, OTHER)
                await wait_until(lambda: sorted(states().values()) == [("open", 1)] * 2, 60)
                before = set(states())
                process.kill()
                await publish(producer, topics, DEVICE, CAMPAIGN, over(DEVICE))  # the first one again
                process.start()
                await wait_until(lambda: ("open", 2) in states().values(), 60)
                process.kill()
                await publish(producer, topics, over(CAMPAIGN), over(OTHER))
                process.start()
                await wait_until(lambda: {state for state, _ in states().values()} == {"closed"}, 60)
                await wait_until(lambda: len(set(people.ids)) == 4 and len(set(machine.ids)) == 6, 60)
                assert process.stop() == 0, process.log_text()
            finally:
                process.stop()
    assert set(states()) == before
    first = {one["text"] for one in people.bodies}
    mine = [text for text in first if "Spring" in text]
    assert sorted(text.split(",")[0] for text in mine) == ["New", "Over"], first
    assert [text for text in mine if text.startswith("Over, high: 2 rules, 1 device on campaign Spring: ")]
    assert {name.rpartition("_")[0] for name in machine.ids} == {"msg_by_device", "msg_by_campaign", "msg_other"}
