"""Alerts and subscribers that misbehave."""
