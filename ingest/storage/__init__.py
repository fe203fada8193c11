"""Kafka or the spool, in groups."""
