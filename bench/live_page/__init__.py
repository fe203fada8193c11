"""How soon the live page is drawn, from the navigation to the last chart."""
