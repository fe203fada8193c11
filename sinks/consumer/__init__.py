"""Reading topics and committing offsets."""
