"""Offline money: documents, rules and settlement. Pure: no clock, no I/O, no randomness."""
