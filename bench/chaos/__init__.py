"""Stream workers under faults, against the truth."""
