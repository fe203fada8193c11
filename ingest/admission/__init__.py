"""May this be stored: pure decisions."""
