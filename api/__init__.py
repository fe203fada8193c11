"""The read side: queries over HTTP."""
