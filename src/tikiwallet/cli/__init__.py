"""The command `tiki`: a wallet for people, over HTTP and tikicash only."""
