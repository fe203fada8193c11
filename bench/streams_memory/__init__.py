"""What a stream worker's state weighs per device and per event."""
