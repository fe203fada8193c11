"""Panes, counters and the checkpoint."""
