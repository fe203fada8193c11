"""Where a backtest reads its history."""
