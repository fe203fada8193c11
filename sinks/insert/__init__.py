"""Blocks into ClickHouse: slices, tokens, retries, bisection of refused rows, dead letters."""
