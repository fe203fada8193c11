"""Process scaffolding that every stage shares: logs, metrics, signals, bounded clients."""
