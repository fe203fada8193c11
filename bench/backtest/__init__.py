"""How fast `sori backtest` replays history, and in how little memory."""
