"""The named queries of this context, read once from sql/queries.sql."""

from tikiwallet.platform.db import Queries

SQL = Queries("tikiwallet.offline")
