"""Subscriptions to alerts over HTTP, and the attempts to deliver to them."""
