"""Operating-system processes: children that die with us, signals, supervision, free ports."""
