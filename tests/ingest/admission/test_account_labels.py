"""Whose name a metric may carry."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.admission.limits import AccountLabels


@given(st.lists(st.text(max_size=5)))
def test_labels_are_bounded_whatever_accounts_come(accounts: list[str]) -> None:
    labels = AccountLabels(3)
    seen = {labels.of(account, proven=True) for account in accounts}
    assert len(seen) <= 3 + 2


def test_only_a_proven_account_gets_a_label_of_its_own() -> None:
    labels = AccountLabels(10)
    assert labels.of("acc", proven=False) == "unverified"
    assert labels.of("", proven=True) == "unknown"
    assert labels.of("acc", proven=True) == "acc"
