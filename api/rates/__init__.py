"""Click-through rates as the read side serves them."""
