"""Consuming topics: batches, commit intents, rebalances. Offsets are committed after the insert."""
