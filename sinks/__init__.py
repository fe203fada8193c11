"""Kafka in, ClickHouse out."""
