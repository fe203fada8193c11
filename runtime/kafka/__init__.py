"""Kafka clients and what is read whole from Kafka."""
