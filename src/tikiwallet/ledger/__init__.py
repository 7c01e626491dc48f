"""Value: accounts and transfers. Knows nothing about people or phones."""
