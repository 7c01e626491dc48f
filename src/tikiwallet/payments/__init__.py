"""A person pays a person, online."""
