"""Verdicts of analysts over HTTP, and what both the API and `sori verdict` share."""
