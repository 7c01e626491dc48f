"""The addresses of the test server's databases."""


def database_of(cluster: str, name: str) -> str:
    """The URL of another database on the same server."""
    before, _, options = cluster.partition("?")
    return f"{before.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")
