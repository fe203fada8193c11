"""Many readers of the alert stream."""
