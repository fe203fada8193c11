"""Evaluation of the fraud rules on labelled traffic: `python -m bench.fraud`."""
