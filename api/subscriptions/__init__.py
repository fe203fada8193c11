"""Subscriptions to alerts, kept over HTTP."""
