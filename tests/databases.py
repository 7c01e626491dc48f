"""The addresses of the test server's databases, and statements that run on them."""

import asyncpg


def database_of(cluster: str, name: str) -> str:
    """The URL of another database on the same server."""
    before, _, options = cluster.partition("?")
    return f"{before.rpartition('/')[0]}/{name}" + (f"?{options}" if options else "")


async def execute(url: str, sql: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
