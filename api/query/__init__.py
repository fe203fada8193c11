"""Questions to ClickHouse and the engine that answers them."""
