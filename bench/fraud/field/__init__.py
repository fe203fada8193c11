"""Evaluation in the field: `python -m bench.fraud.field`."""
