"""Webhook in, Kafka out."""
