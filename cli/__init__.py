"""The command line: `sori --help` is the manual."""
