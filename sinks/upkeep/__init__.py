"""Work beside the inserts: late windows counted again, roll-ups kept current."""
