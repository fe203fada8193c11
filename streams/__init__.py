"""Kafka in, windows and alerts out: Faust agents over pure operators."""
