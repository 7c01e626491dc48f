"""People: phone, password, one-time codes, sessions, directory."""
