"""How fast the wallet is, and what it does under load."""
