"""Worker processes, reload and metrics."""
