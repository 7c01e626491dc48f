"""The database holds the rules about operators too, each under its name, and the role may do the least it needs."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from operator_rules import (
    BROKEN,
    BROKEN_TWICE,
    DISABLED,
    HASH,
    NOW,
    OPERATOR,
    SECOND,
    SEEN,
    challenge,
    enrolment,
    passkey,
    session,
)

from crashes import open_database
from tikiwallet.platform.db import Database


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    for who, name, ends in ((OPERATOR, "olivia", "NULL"), (DISABLED, "peter", NOW), (SECOND, "rita", "NULL")):
        await connection.execute(
            f"INSERT INTO identity.operator VALUES ({who}, '{name}', '{{support}}', {NOW}, {ends})"
        )
    await connection.execute(session(token=HASH))
    yield connection
    await connection.close()


async def test_each_rule_has_its_name(owner: asyncpg.Connection) -> None:
    for statement, rule in BROKEN.items():
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as caught:
            await owner.execute(statement)
        assert caught.value.constraint_name == rule, statement
    for statement in (enrolment(), passkey(), challenge(), session(), SEEN.format(29)):
        await owner.execute(statement)
    for statement, rule in BROKEN_TWICE.items():
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as caught:
            await owner.execute(statement)
        assert caught.value.constraint_name == rule, statement
    await owner.execute(f"UPDATE identity.operator_session SET ended_at = {NOW}")
    for statement in ("UPDATE identity.operator_session SET ended_at = NULL", SEEN.format(1)):
        with pytest.raises(asyncpg.CheckViolationError) as caught:
            await owner.execute(statement)
        assert caught.value.constraint_name == "an_ended_operator_session_stays_ended"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, "identity") as opened:
        yield opened


@pytest.mark.usefixtures("owner")
async def test_the_role_may_neither_rename_an_operator_nor_lengthen_a_session(database: Database) -> None:
    for statement in (
        "UPDATE identity.operator SET name = 'somebody.else'", "DELETE FROM identity.operator",
        "UPDATE identity.operator_session SET expires_at = now()", "DELETE FROM identity.operator_session",
        "UPDATE identity.operator_session SET operator_id = NULL",
        "UPDATE identity.operator_passkey SET public_key = ''",
        "UPDATE identity.operator_enrolment SET expires_at = now()",
    ):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.pool.execute(statement)
