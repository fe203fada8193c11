"""Stream workers that are killed, frozen, stopped and started under traffic, and the truth they are held to."""
