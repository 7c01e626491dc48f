"""Random tests repeat themselves: the same examples on every machine, and no deadline on a slow one."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60, print_blob=True)
settings.load_profile("repeatable")
