"""State of a partition: panes, counters, checkpoints, outputs. Pure: a function of a suffix of the log."""
