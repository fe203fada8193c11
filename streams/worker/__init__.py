"""One worker: its partitions, flushes and commits, idle advance, and the watchdog over them."""
