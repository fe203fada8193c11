"""Partitions, flushing and idle advance."""
