"""The Faust transport that yields batches."""
