"""The story of TikiWallet with real processes and real pictures: `make demo`."""
