"""What the columns of the events table cost in bytes and milliseconds, beside candidates."""
