"""The live page: its data, its SQL, its static files."""
