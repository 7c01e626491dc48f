"""The named SQL of this context, read once. The text is in sql/queries.sql; Python has only the names."""

from tikiwallet.platform.db import Queries

SQL = Queries("tikiwallet.identity")
