"""The whole pipeline for a quarter of an hour: nothing lost, fresh, quick to alert, and not growing."""
