"""What `sori demo` does: traffic with a known truth, a live view, and a reconciliation."""
