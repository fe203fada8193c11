"""From Kafka records to inserts, one module per shape. Pure: no Kafka, no ClickHouse."""
