"""Bytes to request to answer."""
