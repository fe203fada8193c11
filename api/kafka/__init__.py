"""What the read side keeps open to Kafka: the alert feed and the compacted tables."""
