"""Episodes and the alerts they emit."""
