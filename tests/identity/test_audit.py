"""Every act leaves an entry, in its own transaction, and nobody changes the log without being found out."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from crashes import open_database
from offline.test_operator_commands import tikiwallet
from tikiwallet.identity.acts import AUDIT, Act
from tikiwallet.platform.audit import SYSTEM, By, Fault, Head, first_hash
from tikiwallet.platform.db import Connection, Database
from world import PASSWORD, World, body_of, refusal

WHO = UUID(int=7)
NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)


async def record(tx: Connection, act: Act = Act.SIGNED_UP) -> None:
    await AUDIT.record(tx, act, by=SYSTEM, about=WHO, now=NOW)


async def write(database: Database, count: int, act: Act = Act.SIGNED_UP) -> None:
    for _ in range(count):
        async with database.transaction() as tx:
            await record(tx, act)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, "identity") as opened:
        yield opened


async def test_who_signs_up_in_and_out_leaves_entries_that_say_from_where(world: World, database: Database) -> None:
    alice = await world.sign_up("alice", phone="+6591110001")
    phone = {"user-agent": "Mozilla/5.0 (Linux; Android 16) Chrome/142.0.0.0", "x-forwarded-for": "203.0.113.7"}
    order = {"phone": alice.phone, "password": PASSWORD}
    session = body_of(await world.http.post("/v1/sessions", json=order, headers=phone), 201)
    sessions = body_of(await alice.get("/v1/sessions"), 200)["items"]
    other = next(item["session_id"] for item in sessions if not item["is_current"])
    for _ in range(2):  # what has ended already is ended once
        assert (await alice.delete(f"/v1/sessions/{other}")).status_code == 204
    assert (await alice.delete("/v1/sessions/current")).status_code == 204
    for order in (
        {"phone": alice.phone, "password": "another one"}, {"phone": "+6598887777", "password": "x"},
        {"phone": "no phone", "password": "x"},
    ):  # fmt: skip
        assert refusal(await world.http.post("/v1/sessions", json=order)) == (401, "credentials_wrong")

    entries = await AUDIT.entries(database)
    current = next(item["session_id"] for item in sessions if item["is_current"])
    me, wrong = f"person:{alice.person_id}", "credentials_wrong"
    assert [(entry.act, entry.actor, entry.subject, json.loads(entry.detail)) for entry in entries] == [
        ("signed_up", me, alice.person_id, {"phone": "+65 •••• 0001"}),
        ("signed_in", me, alice.person_id, {}),
        ("session_ended", me, alice.person_id, {"ended": other}),
        ("signed_out", me, alice.person_id, {"ended": current}),
        ("sign_in_refused", "nobody", alice.person_id, {"phone": "+65 •••• 0001", "reason": wrong}),
        ("sign_in_refused", "nobody", None, {"phone": "+65 •••• 7777", "reason": wrong}),
        ("sign_in_refused", "nobody", None, {"phone": "", "reason": wrong}),
    ]
    assert entries[1].label == "Chrome · Android"
    assert str(entries[1].session_id) == other
    assert {entry.address for entry in entries} == {"127.0.0.1"}  # nobody trusts whom a stranger says he speaks for
    assert {entry.at for entry in entries} == {world.clock.now}
    assert await AUDIT.verify(database) == ([], Head(7, entries[-1].entry_hash))
    assert session["token"] not in repr(entries)


async def test_an_act_that_fails_leaves_no_entry_and_no_gap(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as tx:
            await record(tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await write(database, 2)
    assert [entry.entry_no for entry in await AUDIT.entries(database)] == [1, 2]
    assert (await AUDIT.verify(database)).faults == []


async def test_entries_of_many_at_once_follow_each_other(database: Database) -> None:
    await asyncio.gather(*(write(database, 5) for _ in range(8)))
    found = await AUDIT.verify(database)
    assert (found.faults, found.head.entry_count) == ([], 40)


async def test_words_that_look_like_a_secret_or_a_number_are_replaced(database: Database) -> None:
    async with database.transaction() as tx:
        by = By.operator("olga +6591110001")
        words = "called +65 9111 0001, \0 token eyJhbGciOiJFUzI1NiJ9.eyJzdWIi.c2ln"
        await AUDIT.record(tx, Act.STATE_CHANGED, by=by, about=WHO, now=NOW, reason=words, before=12_345_678_901)
    (entry,) = await AUDIT.entries(database)
    assert entry.actor == "operator:olga [redacted]"
    assert json.loads(entry.detail) == {
        "reason": "called [redacted],  token [redacted]", "before": 12_345_678_901,
    }  # fmt: skip


TAMPERED: list[tuple[str, list[tuple[int, Fault]]]] = [
    ("UPDATE identity.audit_entry SET actor = 'nobody' WHERE entry_no = 2", [(2, Fault.CHANGED)]),
    ("UPDATE identity.audit_entry SET at = at + interval '1 us' WHERE entry_no = 2", [(2, Fault.CHANGED)]),
    ("UPDATE identity.audit_entry SET subject = NULL WHERE entry_no = 4", [(4, Fault.CHANGED)]),
    ("DELETE FROM identity.audit_entry WHERE entry_no = 2", [(3, Fault.MISSING)]),
    ("DELETE FROM identity.audit_entry WHERE entry_no = 1", [(2, Fault.MISSING)]),
    ("DELETE FROM identity.audit_entry WHERE entry_no = 4", [(4, Fault.CUT_OFF)]),
    ("DELETE FROM identity.audit_entry", [(4, Fault.CUT_OFF)]),
    # Two change places, each with the number of the other.
    (
        ("UPDATE identity.audit_entry SET entry_no = -entry_no WHERE entry_no IN (2, 3);"
        "UPDATE identity.audit_entry SET entry_no = 5 + entry_no WHERE entry_no < 0"),
        [(2, Fault.UNCHAINED), (2, Fault.CHANGED), (3, Fault.UNCHAINED), (3, Fault.CHANGED), (4, Fault.UNCHAINED)],
    ),
    # One is changed and its hash made right again: the next one tells.
    (
        ("UPDATE identity.audit_entry SET act = 'signed_in', entry_hash = sha256(previous_hash || convert_to("
        "concat('1:2,27:2026-11-27T04:00:00.000000Z,9:signed_in,6:system,36:00000000-0000-0000-0000-000000000007,"
        "0:,0:,0:,2:{}'), 'UTF8')) WHERE entry_no = 2"),
        [(3, Fault.UNCHAINED)],
    ),
]  # fmt: skip


async def test_whoever_changes_the_log_behind_its_back_is_found_out(database: Database, database_url: str) -> None:
    await write(database, 4)
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "CREATE TABLE identity.copy AS TABLE identity.audit_entry;ALTER TABLE identity.audit_entry DISABLE TRIGGER USER"
    )
    for statement, faults in TAMPERED:
        await owner.execute(statement)
        assert (await AUDIT.verify(database)).faults == faults, statement
        await owner.execute(
            "DELETE FROM identity.audit_entry; INSERT INTO identity.audit_entry SELECT * FROM identity.copy"
        )
        assert (await AUDIT.verify(database)).faults == []
    await owner.close()


async def test_whoever_makes_the_whole_chain_anew_is_found_by_a_head_kept_elsewhere(
    database: Database, database_url: str
) -> None:
    await write(database, 3)
    kept = (await AUDIT.verify(database)).head
    await write(database, 1)
    assert (await AUDIT.verify(database, kept=kept)).faults == []  # it grew, and still holds what was kept
    assert (await AUDIT.verify(database, kept=Head(0, first_hash("identity")))).faults == []
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "ALTER TABLE identity.audit_entry DISABLE TRIGGER audit_is_append_only; DELETE FROM identity.audit_entry;"
        "UPDATE identity.audit_head SET entry_count = 0, head_hash = sha256('tikiwallet audit identity')"
    )
    await owner.close()
    await write(database, 3, act=Act.SIGNED_OUT)
    assert (await AUDIT.verify(database)).faults == []
    assert (await AUDIT.verify(database, kept=kept)).faults == [(3, Fault.NOT_THE_KEPT_ONE)]


async def test_an_operator_lists_and_verifies_the_log_by_command(
    world: World, database_url: str, data_dir: Path
) -> None:
    (alice,) = await world.people("alice")
    code, said = await tikiwallet(database_url, data_dir, "set-tier", "till", "alice", "--by", "olga")
    assert (code, said) == (0, "alice is now till.\n")
    code, said = await tikiwallet(database_url, data_dir, "audit", alice.phone)
    assert code == 0
    assert [line.split("  ")[2:4] for line in said.splitlines()] == [
        ["signed_up", f"by person:{alice.person_id}"], ["tier_changed", "by operator:olga"],
    ]  # fmt: skip
    code, said = await tikiwallet(database_url, data_dir, "audit", "--json", "--after", "1")
    assert json.loads(said)["detail"] == {"before": "phone", "after": "till"}
    code, said = await tikiwallet(database_url, data_dir, "audit", "--verify")
    assert code == 0
    right, head = said.splitlines()
    assert right == "identity: 2 entries, all right"
    assert (await tikiwallet(database_url, data_dir, "audit", "--head", head.removeprefix("head ")))[0] == 0
    other = f"2:{'00' * 32}"
    code, said = await tikiwallet(database_url, data_dir, "audit", "--head", other)
    assert (code, said.splitlines()[:2]) == (
        1, ["entry 2: not_the_kept_one", "identity: 2 entries, NOT RIGHT, see above"]
    )  # fmt: skip
    assert (await tikiwallet(database_url, data_dir, "audit", "--head", "2:beef"))[0] == 2
