"""Alerts and subscriptions: the contract."""
