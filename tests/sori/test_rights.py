"""The least rights cover every topic that a stage names, and no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sori import topics
from sori.rights import TOPICS, rights_of
from sori.settings import Settings
from sori.settings.kafka_login import STAGES
from testkit.paths import ROOT

REGISTRY = {name for name in vars(topics) if isinstance(getattr(topics, name), topics.Topic)}


def named(stage: str) -> Iterator[str]:
    """Topics of the registry that the code of a stage names."""
    for path in (ROOT / stage).rglob("*.py"):
        if {"backtest", "maintenance"} & set(path.parts) or path.match("ingest/quarantine/*"):
            continue  # run by an operator's commands
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if name in REGISTRY:
                yield name


def test_the_table_has_every_topic_that_a_stage_names() -> None:
    """A new topic in a stage without a right would work here and be refused by a company's Kafka."""
    for stage, (reads, writes) in TOPICS.items():
        # what reads the alerts for the api lies in runtime/
        granted = {topic.suffix for topic in (*reads, *writes)} - (
            {topics.FRAUD_ALERTS.suffix} if stage == "api" else set()
        )
        assert {getattr(topics, name).suffix for name in named(stage)} == granted, stage


def test_groups_and_prefix_follow_the_settings() -> None:
    """Rights are given by the names in force."""
    settings = Settings.model_validate(
        {"kafka": {"topic_prefix": "eu."}, "streams": {"group": "s"}, "sinks": {"group": "k"}}
    )
    names = {(right.resource, right.name) for stage in STAGES for right in rights_of(stage, settings)}
    assert ("group", "s") in names
    assert ("group", "k.events") in names
    assert all(name.startswith("eu.") for kind, name in names if kind == "topic")
