"""Fraud alerts to their subscribers: Kafka in, signed webhooks out."""
