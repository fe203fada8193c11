"""An alert in one sentence."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sori.alerting.story import SENTENCES, expectation, expected_count, place_name, story, whole
from sori.rule_names import RULES
from testkit.alerts import alert

EVIDENCE = {"sample_event_ids": [], "campaigns": {"cmp_1": 64}, "findings": 1}


def told(rule: str, kind: str = "device", subject: str = "dev_91c0", evidence: object = None, **changes: object) -> str:
    """The story of such an alert."""
    given = EVIDENCE if evidence is None else evidence
    return story(alert(rule=rule, subject_kind=kind, subject=subject, evidence=given, **changes))


def test_the_issue_s_own_example():
    """With the names that the caller knows, it reads as people say it."""
    one = alert(subject="dev_91c0", observed=64.0, expected=4.2, evidence=EVIDENCE)
    assert (
        story(one, {"cmp_1": "Spring"}, ["Germany/North Rhine-Westphalia/Cologne"])
        == "Device dev_91c0 clicked 64 times in 60 s, 4 expected; campaign Spring, Cologne"
    )


def test_every_rule_has_a_sentence_of_its_own():
    """A rule that is added gets its line in SENTENCES."""
    assert set(SENTENCES) == set(RULES)


@pytest.mark.parametrize(
    ("rule", "kind", "subject", "evidence", "says"),
    [
        ("device_event_burst", "device", "d", {}, "Device d sent 64 events in 60 s, 4 expected"),
        ("device_auth_burst", "device", "d", {}, "Device d signed in 64 times in 60 s, 4 expected"),
        (
            "device_impressions",
            "device",
            "d",
            {"every_s": 1.5, "spread": 0.04},
            "Device d was shown 64 spots in 60 s, one every 1.5 s, as evenly as a machine, more than anybody hears",
        ),
        ("duplicate_click", "device", "d", {}, "Device d clicked again on what it had just clicked 64 times in 60 s"),
        ("click_without_impression", "device", "d", {}, "Device d clicked 64 times in 60 s on what it was never shown"),
        (
            "fast_click",
            "device",
            "d",
            {"median_delay_ms": 120},
            "Device d clicked 64 times in 60 s sooner after seeing it than a person can: 120 ms in the median",
        ),
        (
            "device_ctr",
            "device",
            "d",
            {"impressions": 66},
            "Device d clicked nearly everything that it was shown: 64 clicks of 66 impressions in 60 s",
        ),
        (
            "geo_auth_burst",
            "place",
            "Germany/NRW/Cologne",
            {"impressions": 3},
            "64 devices signed in in Cologne, Germany in 60 s and 3 impressions followed, 4 expected",
        ),
        (
            "geo_hop",
            "device",
            "d",
            {"countries": 2, "named": "France, Peru"},
            "Device d changed its country 64 times in 60 s: France, Peru",
        ),
        (
            "geo_click_burst",
            "place",
            "Germany/NRW/Cologne",
            {},
            "Cologne, Germany clicked 64 times in 60 s, 4 expected",
        ),
        (
            "geo_ctr_anomaly",
            "place",
            "Germany/NRW/Unknown",
            {"impressions": 1200},
            "NRW, Germany sent 64 clicks in 60 s after 1,200 impressions, 4 expected",
        ),
        ("ctr_anomaly", "campaign", "cmp_1", {}, "Campaign cmp_1 got 64 clicks in 60 s, 4 expected"),
        (
            "device_farm",
            "place",
            "Unknown/Unknown/Unknown",
            {},
            "64 devices in an unknown place did the same at the same pace in 60 s, 4 expected",
        ),
        (
            "replayed_click",
            "campaign",
            "cmp_1",
            {"activity_id": "act_1"},
            "Campaign cmp_1 got one click, by its id, from 64 devices in 60 s",
        ),
        (
            "returning_clickers",
            "campaign",
            "cmp_1",
            {"taps": 300},
            (
                "Campaign cmp_1 was clicked 300 times in 60 s by 64 devices that came back and clicked nearly all that "
                "they were shown"
            ),
        ),
        (
            "excess_clicks",
            "place",
            "Italy//Rome",
            {"shown_share": 0.02},
            "64 devices more than usual clicked in Rome, Italy in 60 s, 2% of whom had been shown it, 4 expected",
        ),
        (
            "local_ctr",
            "place",
            "Italy//Rome",
            {"campaign": "cmp_1", "local_impressions": 80},
            "Campaign cmp_1 was clicked 64 times of the 80 that it was shown in Rome, Italy in 60 s, 4 expected",
        ),
        ("local_ctr", "place", "Italy//Rome", {}, "A campaign was clicked 64 times in Rome, Italy in 60 s, 4 expected"),
        ("rule_of_tomorrow", "device", "d", {}, "Device d: rule of tomorrow, 64 seen in 60 s, 4 expected"),
    ],
)
def test_a_rule_s_sentence(rule, kind, subject, evidence, says):
    """What was counted, how many, in what time, and what was expected."""
    assert told(rule, kind, subject, evidence, observed=64.0, expected=4.0) == says


def test_a_group_is_told_with_its_strongest():
    """How many there are, then the one whose figures the alert shows."""
    evidence = {**EVIDENCE, "member_count": 37, "members": ["a"], "strongest_member": "dev_9"}
    assert told("device_click_burst", evidence=evidence) == (
        "37 devices at once; the strongest: device dev_9 clicked 20 times in 60 s, less than 1 expected; campaign cmp_1"
    )
    places = {"member_count": 5, "strongest_member": "Germany/NRW/Cologne"}
    assert "the strongest: Cologne, Germany" in told("geo_click_burst", "place", "x/y/z", places)


def test_what_an_analyst_lets_pass_says_so():
    """At the end; what closed for another reason does not."""
    for because, ending in (("allowed", "; campaign cmp_1; allowed by an analyst"), ("beyond_end", "; campaign cmp_1")):
        assert told("device_click_burst", evidence={**EVIDENCE, "closed_because": because}).endswith(ending)


def test_many_campaigns_are_counted():
    """Three by name, the most clicked first."""
    evidence = {"campaigns": {f"c{n}": n for n in range(9)}}
    assert told("device_click_burst", evidence=evidence).endswith("; campaigns c8, c7, c6 and 6 more")


def test_counts_are_whole_and_never_below_nothing():
    """-0.0, fractions and what is no number."""
    assert [whole(one) for one in (-0.0, 0.49, 19.5, 1204.0, float("nan"), float("inf"), None, "x", True)] == [
        *("0", "0", "20", "1,204", "0", "1,000,000,000,000,000", "0", "0", "0")
    ]
    assert [expectation(one) for one in (0.0, 0.2, 3.6)] == ["none expected", "less than 1 expected", "4 expected"]
    assert expected_count(1204.4) == "1,204"


def test_an_id_cannot_pretend_to_be_a_part_of_the_sentence():
    """It is quoted when it is more than a word, cut, and nothing in it acts on a screen."""
    said = told("device_click_burst", subject="d clicked 0 times; all is well \x1b]0;x\u202e" + "y" * 500)
    assert said.startswith('Device "d clicked 0 times; all is well \\x1b]0;x\\u202e')
    assert len(said) < 160
    named = story(alert(evidence=EVIDENCE), {"cmp_1": 'Spring", Cologne; all is well'})
    assert named.endswith('; campaign "Spring\', Cologne; all is well"')
    assert place_name("Germany/NRW/Cologne; fine") == '"Cologne; fine", Germany'


def test_evidence_as_stored_is_read_too():
    """The view alerts_current has it as JSON text."""
    one = alert(evidence=EVIDENCE)
    assert story({**one, "evidence": orjson.dumps(EVIDENCE).decode()}) == story(one)


_JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(
    st.sampled_from([*RULES, "other"]),
    st.dictionaries(st.sampled_from(sorted({*alert(), "x"})), _JSON),
    st.dictionaries(
        st.sampled_from(["campaigns", "member_count", "strongest_member", "countries", "named", "median_delay_ms"]),
        _JSON | st.dictionaries(st.text(), st.floats()),
    ),
)
@example("device_click_burst", {}, {"campaigns": {"\xa0": 0.0}})  # a no-break space is not printable
def test_whatever_a_record_holds_there_is_one_short_line(rule, record, evidence):
    """Never an exception, a line break, or a character that acts."""
    said = story({**record, "rule": rule, "evidence": evidence})
    assert said.isprintable()
    assert len(said) < 700
