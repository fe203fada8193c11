"""Apply events and count."""
