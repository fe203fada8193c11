"""Honest traffic while somebody attacks the ingress."""
