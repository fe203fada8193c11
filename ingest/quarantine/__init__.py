"""What a proven sender sent and we refused: held in Kafka, listed, replayed."""
