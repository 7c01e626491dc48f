"""`sql/schema.sql` of each context is what its migrations make, so that the schema can be read in one place.

`make schema` rewrites the files (REWRITE_SCHEMA=1).
"""

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

from databases import database_of, execute
from tikiwallet.app import CONTEXTS
from tikiwallet.platform.embedded_postgres import find_binaries
from tikiwallet.platform.migrate import migrate

SRC = Path(__file__).parents[2] / "src" / "tikiwallet"
NOISE = re.compile(r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)$\n?", re.MULTILINE)


@pytest.fixture(scope="module")
def migrated(embedded_server: str) -> str:
    """A migrated database on the embedded server, whose version of pg_dump writes the files."""

    async def make() -> str:
        await execute(embedded_server, "CREATE DATABASE schema_of_this_release")
        url = database_of(embedded_server, "schema_of_this_release")
        await migrate(url, contexts=CONTEXTS)
        return url

    return asyncio.run(make())


@pytest.mark.parametrize("context", CONTEXTS)
def test_schema_sql_is_what_the_migrations_make(migrated: str, context: str) -> None:
    command = [str(find_binaries() / "pg_dump"), "--schema-only", "--no-owner", f"--schema={context}"]
    dump = subprocess.run([*command, migrated], check=True, capture_output=True, text=True).stdout
    made = "-- Made by `make schema`. The source is sql/migrations/.\n" + re.sub(
        r"\n{2,}", "\n\n", NOISE.sub("", dump)
    ).strip("\n")
    path = SRC / context / "sql" / "schema.sql"
    if os.environ.get("REWRITE_SCHEMA"):
        path.write_text(made + "\n")
    assert path.read_text() == made + "\n", f"run `make schema` ({context})"
