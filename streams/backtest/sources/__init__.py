"""Where a backtest reads its history: Kafka, ClickHouse, Parquet or NDJSON."""
