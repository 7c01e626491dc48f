"""Frozen, closing, closed, erased: what still works in each, what may follow what, and what is left in the end."""

import json
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from crashes import open_database
from offline.test_operator_commands import tikiwallet
from tikiwallet.identity.acts import AUDIT
from tikiwallet.identity.types import FreezeReason, PersonId
from tikiwallet.platform.audit import By
from world import PASSWORD, Someone, World, body_of, money, refusal

OLGA = By.operator("olga")
VOUCHER = {"device_id": str(UUID(int=1)), "amount": money("5.00")}


async def sign_in(world: World, someone: Someone, password: str = PASSWORD):
    return await world.http.post("/v1/sessions", json={"phone": someone.phone, "password": password})


async def test_a_frozen_wallet_receives_and_reads_and_lets_nothing_out(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="20.00")
    asked = body_of(await bob.post("/v1/requests", {"payer": {"username": "alice"}, "amount": money("1.00")}), 201)
    await world.identity.operators.freeze("alice", FreezeReason.UNUSUAL, by=OLGA, now=world.clock.now)
    for answer in (
        await alice.pay(bob, "1.00"),
        await alice.post(f"/v1/requests/{asked['request_id']}/payment"),
        await alice.post("/v1/shown-requests/" + "A" * 32 + "/payment", {"memo": ""}),
        await alice.top_up("1.00"),
        await alice.post("/v1/withdrawals", {"amount": money("1.00")}),
        await alice.post("/v1/offline/vouchers", VOUCHER),
        await alice.post("/v1/requests", {"payer": {"username": "bob"}, "amount": money("1.00")}),
        await alice.post("/v1/shown-requests", {"reference": "A" * 32, "amount": money("1.00")}),
        await alice.post("/v1/me/closing"),
        await alice.delete("/v1/me/closing"),
    ):
        assert refusal(answer) == (403, "person_frozen")
    body_of(await bob.pay(alice, "5.00"), 201)
    again = Someone(world.http, body_of(await sign_in(world, alice), 201))
    me = body_of(await again.get("/v1/me"), 200)
    assert (me["state"], me["frozen_because"]) == ("frozen", "unusual")
    assert await again.balance() == "55.00"
    body_of(await again.get("/v1/history"), 200)
    body_of(await again.post("/v1/offline/sync", {"bundles": []}), 200)
    assert (await again.delete("/v1/sessions/current")).status_code == 204
    await world.identity.operators.unfreeze("alice", by=OLGA, now=world.clock.now)
    body_of(await alice.pay(bob, "1.00"), 201)
    assert "state" not in body_of(await alice.get("/v1/me"), 200)


TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'identity'"
HERS = ("passkey", "recovery_code", "known_device", "notice", "phone_change", "password_reset", "registration")
HERS_IN = "SELECT count(*) FROM identity.{} WHERE person_id = $1"


async def test_a_wallet_closes_when_it_is_empty_and_its_phone_may_begin_anew(
    world: World, database_url: str, data_dir: Path
) -> None:
    alice, bob = await world.people(alice="50.00", bob="20.00")
    other = await world.sign_in_again(alice)
    body_of(await alice.post("/v1/recovery-codes"), 201)
    body_of(await world.http.post("/v1/password-resets", json={"phone": alice.phone}), 202)
    body_of(await alice.post("/v1/me/phone-changes", {"phone": world.new_phone()}), 202)
    assert body_of(await alice.get("/v1/me/closing"), 200) == {
        "state": "active", "obstacles": [{"kind": "balance", "amount": money("50.00"), "until": None}]
    }  # fmt: skip
    assert body_of(await alice.post("/v1/me/closing"), 200)["state"] == "closing"
    assert refusal(await bob.pay(alice, "1.00")) == (409, "payee_closes")
    assert body_of(await bob.get("/v1/people", username="alice"), 200)["takes_money"] is False
    assert refusal(await alice.top_up("1.00")) == (409, "wallet_closes")
    assert refusal(await alice.post("/v1/offline/vouchers", VOUCHER)) == (409, "wallet_closes")
    # Changed her mind, and again.
    assert body_of(await alice.delete("/v1/me/closing"), 200)["state"] == "active"
    body_of(await bob.pay(alice, "1.00"), 201)
    body_of(await alice.post("/v1/me/closing"), 200)
    body_of(await alice.pay(bob, "31.00"), 201)
    body_of(await alice.post("/v1/withdrawals", {"amount": money("20.00")}), 201)
    assert body_of(await alice.post("/v1/me/closing"), 200) == {"state": "closed", "obstacles": []}
    for someone in (alice, other):
        assert refusal(await someone.get("/v1/me")) == (401, "session_invalid")
    assert refusal(await sign_in(world, alice)) == (403, "account_closed")
    assert refusal(await sign_in(world, alice, "a wrong one")) == (401, "credentials_wrong")
    assert refusal(await bob.pay(alice, "1.00")) == (404, "payee_unknown")
    assert body_of(await bob.get("/v1/history"), 200)["items"][0]["counterparty"]["username"] == "alice"

    # Years later her name goes; what was moved stays.
    code, said = await tikiwallet(database_url, data_dir, "erase", "--after-days", "1")
    assert (code, said) == (0, "People erased: 0.\n")
    code, said = await tikiwallet(database_url, data_dir, "erase", "--after-days", "0", "--by", "olga")
    assert (code, said) == (0, "People erased: 1.\n")
    shown = body_of(await bob.get("/v1/history"), 200)["items"][0]["counterparty"]
    assert shown["username"].startswith("gone_")
    assert shown["phone_masked"] == ""
    connection = await asyncpg.connect(database_url)
    tables = [row["tablename"] for row in await connection.fetch(TABLES)]
    assert {"person", "known_device", "password_reset", "phone_change"} <= set(tables)
    rows = [str(dict(row)) for name in tables for row in await connection.fetch(f"SELECT * FROM identity.{name}")]
    left = [name for name in HERS if await connection.fetchval(HERS_IN.format(name), alice.person_id)]
    await connection.close()
    assert not any("'alice'" in row or alice.phone in row for row in rows)
    assert left == []
    new = await world.sign_up("alice", phone=alice.phone)
    assert new.person_id != alice.person_id
    async with open_database(database_url, "identity") as database:
        acts = [entry.act for entry in await AUDIT.entries(database, about=alice.person_id)]
        assert acts == [
            "signed_up",
            "signed_in",
            "recovery_codes_made",
            *["state_changed"] * 4,
            "sign_in_refused",
            "sign_in_refused",
            "erased",
        ]
        assert (await AUDIT.verify(database)).faults == []


async def test_a_closed_phone_signs_up_before_the_old_name_is_erased(world: World) -> None:
    alice = await world.sign_up("alice")
    assert body_of(await alice.post("/v1/me/closing"), 200)["state"] == "closed"
    new = await world.sign_up("alicia", phone=alice.phone)
    body_of(await sign_in(world, new), 201)  # the one who is still there
    assert body_of(await new.get("/v1/people", phone=new.phone), 200)["username"] == "alicia"


async def test_a_wallet_that_is_being_closed_for_good_stays_so_and_closes_later(
    world: World, database_url: str, data_dir: Path
) -> None:
    """The process died between the accounts and the person, and money from long ago arrives meanwhile."""
    alice, bob = await world.people(alice="0.00", bob="5.00")
    connection = await asyncpg.connect(database_url)
    body_of(await alice.post("/v1/me/closing"), 200)
    await connection.execute("ALTER TABLE identity.person DISABLE TRIGGER person_state_follows_the_rules")
    await connection.execute(
        "UPDATE identity.person SET state = 'closing', closed_at = NULL WHERE person_id = $1", alice.person_id
    )
    await connection.execute("ALTER TABLE identity.person ENABLE TRIGGER person_state_follows_the_rules")
    again = await world.sign_in_again(alice)
    assert refusal(await again.delete("/v1/me/closing")) == (409, "closing_is_final")
    # A freeze in between leads back to closing, and not to an open wallet without accounts.
    await world.identity.operators.freeze("alice", FreezeReason.LAW, by=OLGA, now=world.clock.now)
    assert (await world.identity.operators.unfreeze("alice", by=OLGA, now=world.clock.now)).state == "closing"
    with pytest.raises(asyncpg.CheckViolationError, match="from closing to active"):
        await connection.execute("UPDATE identity.person SET state = 'active' WHERE person_id = $1", alice.person_id)
    await connection.close()
    assert await tikiwallet(database_url, data_dir, "close-wallets") == (0, "Wallets closed: 1.\n")
    assert await tikiwallet(database_url, data_dir, "close-wallets") == (0, "Wallets closed: 0.\n")
    assert refusal(await sign_in(world, alice)) == (403, "account_closed")
    assert not await world.identity.closings.erase(PersonId(bob.person_id), by=OLGA, now=world.clock.now)


async def test_a_person_takes_everything_along_that_is_held_of_them(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    body_of(await alice.pay(bob, "3.00", memo="lunch"), 201)
    body_of(await bob.post("/v1/requests", {"payer": {"username": "alice"}, "amount": money("1.00")}), 201)
    answer = await alice.get("/v1/me/export")
    found = body_of(answer, 200)
    assert answer.headers["content-disposition"] == 'attachment; filename="tikiwallet-export.json"'
    assert (found["person"]["username"], found["person"]["phone"]) == ("alice", alice.phone)
    assert [act["act"] for act in found["acts"]] == ["signed_up", "data_exported"]
    assert len(found["sessions"]) == 1
    assert [item["memo"] for item in found["payments"]["movements"]["SGD"]] == ["lunch", ""]
    assert len(found["payments"]["requests"]) == 1
    assert [(item["kind"], item["state"]) for item in found["funding"]["operations"]] == [("top_up", "settled")]
    assert set(found["funding"]) == {"operations", "disputes", "customer_id", "payout_account"}
    assert set(found["offline"]) == {"devices", "money"}
    text = json.dumps(found)
    assert bob.phone not in text
    assert "argon2" not in text
    assert alice.token not in text
