"""Repair and roll-ups that run beside the inserts."""
