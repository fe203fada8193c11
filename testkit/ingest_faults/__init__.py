"""Faults of the ingress, with traffic."""
