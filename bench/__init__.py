"""Benchmarks and evaluations: each a folder, run as `python -m bench.NAME`, prints a table, writes it with --json."""
