"""How long a stream worker needs to stand where a killed one stood."""
