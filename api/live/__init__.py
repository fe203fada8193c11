"""The live page and the data behind it."""
