"""Operators: apply records to a partition's state and give out rows. Pure."""
