"""The SQL of funding, read once for all its use cases."""

from tikiwallet.platform.db import Queries

SQL = Queries("tikiwallet.funding")
