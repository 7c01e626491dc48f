"""The server's side of offline money."""
