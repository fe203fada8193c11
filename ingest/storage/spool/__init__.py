"""The disk spool."""
