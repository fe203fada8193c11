"""Faust's transport to Kafka: fetched batches in, outputs and checkpointed commits out."""
