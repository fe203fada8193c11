"""The words of this project, each in a sentence: for the terminal, the page and docs/glossary.md. Pure."""

from __future__ import annotations

from collections.abc import Mapping

#: In the order in which somebody new meets them.
WORDS: Mapping[str, str] = {
    "SORI": "the service that recognises audio on people's devices and sends you a webhook for what happens there.",
    "webhook": "an HTTP request that one system sends another when something happened; here SORI sends one per event.",
    "event": "what one webhook tells: an impression, a click, an authentication, or a change of a material.",
    "impression": "a campaign was shown on a device.",
    "click": "somebody tapped a campaign that was shown to them.",
    "authentication": "a device signed in through SORI.",
    "campaign": "what an advertiser runs: it has a name, an id, and materials.",
    "material": "one recording or picture of a campaign, which a device recognises or shows.",
    "spot": "an advertisement that airs at one moment for many: thousands of devices show it in the same minute, "
    "which is no fraud.",
    "flash crowd": "many people at once for an honest reason, such as an aired spot.",
    "device": "one phone or browser session, by the id that SORI gives it.",
    "place": "country, region and city of an event, as GeoIP names them; geography only.",
    "account": "one customer of SORI; every event belongs to one.",
    "click-through rate (CTR)": "clicks divided by impressions; shown with the interval in which the true rate lies "
    "with 95 % certainty.",
    "flood": "far more clicks or events than people make, from one device or from one place.",
    "suspect click": "a click of a device that is in an open alert; rates can be read with and without them.",
    "rule": "one way to recognise fraud, such as `device_click_burst`; each has thresholds that you can set.",
    "finding": "a rule says that something is in a burst now.",
    "subject": "whom a finding is about: a device, a place or a campaign.",
    "episode": "a subject's burst from its first finding to its quiet end; one episode is one alert.",
    "alert": "what people are told of an episode: it opens, is updated while the burst lasts, and closes when quiet.",
    "incident": "alerts of one account about one thing at one time; what a person looks into as one case.",
    "verdict": "what a person says about an alert or incident: confirmed, or a false positive.",
    "withdrawn": "taken back: events that came late explain what looked like fraud.",
    "severity": "how far a count is above the rule's floor: low, medium, high or critical.",
    "event time": "when it happened, as the event says (`created_at`), and not when it arrived.",
    "window": "the stretch of time that is counted: a minute for rates, a run of panes for rules.",
    "pane": "10 seconds of event time; windows are made of panes, and charts of alerts show one bar each.",
    "late": "an event that arrived after its window was counted; it is kept, and the window is counted again.",
    "watermark": "how far event time has come; what is older by more than the allowed lateness is late.",
    "hop": "one pass over the events: the first counts by device, the second by place and campaign.",
    "stage": "one of the programs that make up the pipeline: ingest, streams, sinks, notify, api.",
    "ingest": "the stage that takes SORI's webhooks, checks their signature and stores them in Kafka.",
    "streams": "the stage that counts windows and raises alerts.",
    "sinks": "the stage that writes what Kafka holds into ClickHouse.",
    "spool": "files on the disk of ingest that hold events while Kafka is away; nothing is lost meanwhile.",
    "quarantine": "events that were truly sent by SORI and cannot be used, kept with the reason; they can be replayed.",
    "backfill": "taking events of the past into the pipeline.",
    "backtest": "trying other thresholds on events of the past, before they judge new ones.",
    "replay": "reading the log again, to rebuild what was counted; results are the same as before.",
    "lag": "how many events a stage has not read yet.",
    "Kafka": "the log that all stages read and write; here an own one is started unless you name yours.",
    "ClickHouse": "the database that answers questions about events and rates; chDB is the same without a server.",
}
