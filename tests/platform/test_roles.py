"""What keeps the contexts apart in one database: the role of each is refused everything of the others."""

import asyncpg
import pytest

from tikiwallet.app import CONTEXTS
from tikiwallet.platform.db import role_of

EVERYTHING = """
    SELECT nspname AS schema, relname AS name, relkind::text AS kind
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname !~ '^(pg_|information_schema)' AND relkind IN ('r', 'p', 'v', 'm', 'S')
"""


def owner_of(schema: str) -> str:
    """The context whose schema or job queue this is; the table of migrations is nobody's."""
    return schema.removesuffix("_jobs")


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_role_is_refused_everything_of_the_others(database_url: str, context: str) -> None:
    owner = await asyncpg.connect(database_url)
    try:
        others = [row for row in await owner.fetch(EVERYTHING) if owner_of(row["schema"]) != context]
        assert {owner_of(row["schema"]) for row in others} == {*CONTEXTS, "platform"} - {context}
        await owner.execute(f"SET ROLE {role_of(context)}")
        for row in others:
            table = f"{row['schema']}.{row['name']}"
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await owner.execute(f"SELECT * FROM {table}")
            if row["kind"] != "S":
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await owner.execute(f"DELETE FROM {table}")
    finally:
        await owner.close()


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_role_owns_nothing_and_can_neither_sign_in_nor_make_anything(database_url: str, context: str) -> None:
    owner = await asyncpg.connect(database_url)
    try:
        role = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", role_of(context))
        assert role is not None
        powers = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication", "rolbypassrls")
        assert [power for power in powers if role[power]] == []
        assert await owner.fetchval("SELECT count(*) FROM pg_class WHERE relowner = $1", role["oid"]) == 0
        await owner.execute(f"SET ROLE {role_of(context)}")
        for statement in (f"CREATE TABLE {context}.mine ()", "CREATE TABLE public.mine ()", "CREATE SCHEMA mine"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await owner.execute(statement)
    finally:
        await owner.close()
