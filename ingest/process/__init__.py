"""The ingress as processes: workers, reload of files, housekeeping, metrics of all workers."""
