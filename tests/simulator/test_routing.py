"""Subscriptions and webhook URLs."""

import pytest

from simulator.routing import Category, Routes, Subscriptions, category_of, parse_subscriptions
from sori.errors import ConfigError


def test_a_new_account_receives_campaign_and_authentication_events():
    """Administrative events are opt-in."""
    new = Subscriptions()
    assert new.wants("acc", "campaign.impression")
    assert new.wants("acc", "campaign.click")
    assert new.wants("acc", "authentication")
    assert not new.wants("acc", "admin.material.updated")


def test_categories_follow_the_first_part_of_the_name():
    """As the contract's wildcards do."""
    assert category_of("campaign.click") is Category.CAMPAIGN
    assert category_of("authentication") is Category.AUTHENTICATION
    assert category_of("admin.material.deleted") is Category.ADMIN


def test_subscriptions_are_read_for_all_accounts_and_for_one():
    """ACC= makes it one account's own."""
    read = parse_subscriptions(["campaign,admin", "acc_1=authentication", "acc_2="])
    assert read.wants("any", "admin.material.created")
    assert not read.wants("any", "authentication")
    assert read.wants("acc_1", "authentication")
    assert not read.wants("acc_1", "campaign.click")
    assert not read.wants("acc_2", "campaign.click")


def test_an_unknown_category_is_refused_by_name():
    """The message lists what there is."""
    with pytest.raises(ConfigError, match="campaign, authentication, admin"):
        parse_subscriptions(["campains"])


@pytest.mark.parametrize("url", ["", "ftp://host/x", "host:80/x", "http://"])
def test_what_is_no_webhook_url_is_refused(url):
    """Before anything is sent."""
    with pytest.raises(ConfigError, match="not a webhook URL"):
        Routes(url)
