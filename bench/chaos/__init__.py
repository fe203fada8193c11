"""Stream workers under faults, as a bench: `python -m bench.chaos`."""
