"""Backtests: history through the operators that run live, under the rules in force and under others at once."""
