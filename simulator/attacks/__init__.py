"""Planted fraud, one kind per file."""
