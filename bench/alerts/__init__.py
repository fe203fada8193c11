"""How soon subscribers hear of fraud."""
