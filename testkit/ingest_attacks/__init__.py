"""Senders who want to hurt the others, and honest ones who must not notice."""
