"""Fakes and rigs that tests and benches share."""
