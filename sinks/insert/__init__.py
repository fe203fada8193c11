"""Writing blocks to ClickHouse."""
