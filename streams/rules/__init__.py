"""Fraud rules: pure judgements over counts; each its own file, its parameters in settings."""
