"""TikiWallet: an e-wallet that works with and without a network."""
