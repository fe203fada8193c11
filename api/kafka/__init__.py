"""What the read side reads from Kafka."""
