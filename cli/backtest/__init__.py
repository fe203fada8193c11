"""What `sori backtest` does behind its options: run the replay, show the report."""
