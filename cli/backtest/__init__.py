"""The backtest command: run and report."""
