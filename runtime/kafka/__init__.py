"""Kafka for every stage: bounded clients, committed offsets, compacted tables, and the alert log."""
