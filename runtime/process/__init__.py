"""Processes, signals, ports."""
