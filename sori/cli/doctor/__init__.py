"""What `sori doctor` examines."""
