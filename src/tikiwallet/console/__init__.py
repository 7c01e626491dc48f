"""The operators' console: what operators see of people and money and what they may do about it, in a browser."""
