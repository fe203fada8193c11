"""From bytes on a socket to a request, and from an outcome to an answer."""
