"""Alerts as the read side serves them: pages and server-sent events."""
