"""Two people correct the books: once, in time, and never with money that the wallet hasn't or that is promised."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from crashes import open_database
from operators import SignedInOperator, an_operator, sign_in
from tikiwallet.ledger.corrections import AUDIT, AccountNotCorrectable, Act, Corrections, NewCorrection
from tikiwallet.ledger.types import AccountId, AccountKind, derive_account_id
from tikiwallet.payments.wallets import wallet_account_id
from tikiwallet.platform.audit import SYSTEM
from tikiwallet.platform.db import Database
from world import World, body_of, money, refusal

WHY = "top-up of 26 November was paid in twice"
PERSON, BANK, GUARANTEE = {"person": "alice"}, {"own": "bank"}, {"own": "guarantee"}


def order(text: str, debit: object = BANK, credit: object = PERSON, reason: str = WHY) -> dict[str, object]:
    return {"debit": debit, "credit": credit, "amount": money(text), "reason": reason}


async def proposed(operator: SignedInOperator, **given: Any) -> dict[str, Any]:
    body = order(given.pop("text", "5.00"), **given)
    found: dict[str, Any] = body_of(await operator.post("/corrections", body), 201)
    return found


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, "ledger") as opened:
        yield opened


@pytest.mark.usefixtures("sound_books")
async def test_what_one_proposes_another_approves_and_it_stands_in_the_history_with_its_reason(
    world: World, database: Database
) -> None:
    (alice,) = await world.people(alice="10.00")
    fiona, frank = [await an_operator(world, name, "finance") for name in ("fiona", "frank")]
    body = order("2.50")
    one, again = [body_of(await fiona.post("/corrections", body, key="k"), 201) for _ in range(2)]
    assert one == again
    assert refusal(await fiona.post("/corrections", order("2.51"), key="k")) == (422, "idempotency_key_reused")
    assert (one["debit"], one["credit"], one["proposed_by"], one["is_mine"]) == ("[bank]", "alice", "fiona", True)
    path = f"/corrections/{one['correction_id']}"
    assert refusal(await fiona.post(f"{path}/approval")) == (403, "correction_needs_another")
    assert await alice.balance() == "10.00"
    posted, repeated = [body_of(await frank.post(f"{path}/approval"), 200) for _ in range(2)]
    assert posted == repeated
    assert (posted["state"], posted["decided_by"], posted["is_mine"]) == ("posted", "frank", False)
    assert await alice.balance() == "12.50"
    for operator, what in ((fiona, "approval"), (fiona, "rejection"), (frank, "rejection")):
        assert refusal(await operator.post(f"{path}/{what}")) == (409, "correction_decided")
    (item, *_) = body_of(await alice.get("/v1/history"), 200)["items"]
    assert (item["kind"], item["direction"], item["memo"], item["counterparty"]) == (
        "correction", "in", WHY, "operator",
    )  # fmt: skip
    listed = body_of(await fiona.get("/corrections"), 200)["items"]
    assert listed == [{**posted, "is_mine": True}]
    audited = [(each.act, each.actor, json.loads(each.detail)) for each in await AUDIT.entries(database)]
    assert audited == [
        ("correction_proposed", "operator:fiona", {"amount": "250 SGD", "reason": WHY}),
        ("correction_posted", "operator:frank", {"amount": "250 SGD", "reason": WHY}),
    ]
    assert (await AUDIT.verify(database)).faults == []


@pytest.mark.usefixtures("sound_books")
async def test_of_many_approvals_at_once_one_posts(world: World, database: Database) -> None:
    (alice,) = await world.people(alice="10.00")
    fiona = await an_operator(world, "fiona", "finance")
    others = [await an_operator(world, name, "finance") for name in ("frank", "felix", "flora")]
    path = f"/corrections/{(await proposed(fiona, debit=PERSON, credit=GUARANTEE, text='4.00'))['correction_id']}"
    answers = await asyncio.gather(*(other.post(f"{path}/approval") for other in others * 2))
    winners = {answer.json()["decided_by"] for answer in answers if answer.status_code == 200}
    assert len(winners) == 1
    assert {refusal(answer) for answer in answers if answer.status_code != 200} == {(409, "correction_decided")}
    assert await alice.balance() == "6.00"
    assert [each.act for each in await AUDIT.entries(database)].count(Act.CORRECTION_POSTED) == 1


@pytest.mark.usefixtures("sound_books")
async def test_an_approval_that_breaks_off_before_its_end_has_moved_nothing(
    world: World, database: Database, database_url: str
) -> None:
    (alice,) = await world.people(alice="10.00")
    fiona, frank = [await an_operator(world, name, "finance") for name in ("fiona", "frank")]
    path = f"/corrections/{(await proposed(fiona))['correction_id']}/approval"
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("REVOKE INSERT ON ledger.audit_entry FROM tikiwallet_ledger")
        await owner.execute(
            "REVOKE INSERT (at, act, actor, subject, address, session_id, label, detail) "
            "ON ledger.audit_entry FROM tikiwallet_ledger"
        )
        assert (await frank.post(path)).status_code == 500  # posted, decided, and then the entry can't be written
        assert await alice.balance() == "10.00"
        assert body_of(await fiona.get("/corrections"), 200)["items"][0]["state"] == "proposed"
        await owner.execute(
            "GRANT INSERT (at, act, actor, subject, address, session_id, label, detail) "
            "ON ledger.audit_entry TO tikiwallet_ledger"
        )
    finally:
        await owner.close()
    assert body_of(await frank.post(path), 200)["state"] == "posted"
    assert await alice.balance() == "15.00"


@pytest.mark.usefixtures("sound_books")
async def test_what_is_refused_moves_nothing(world: World) -> None:
    alice, bob = await world.people(alice="10.00", bob="1.00")
    fiona, frank = [await an_operator(world, name, "finance") for name in ("fiona", "frank")]
    for body, expected in (
        (order("10.01", PERSON, BANK), (422, "insufficient_funds")),
        (order("1.00", BANK, {"person": "nobody"}), (404, "person_unknown")),
        (order("1.00", {"person": "+6500000000"}), (404, "person_unknown")),
        (order("1.00", PERSON, PERSON), (422, "account_not_correctable")),
        (order("1.00", {}, PERSON), (400, "request_invalid")),
        (order("1.00", {"own": "bank", "person": "alice"}), (400, "request_invalid")),
        (order("1.00", {"own": "escrow"}), (400, "request_invalid")),
        (order("1.00", reason="because"), (400, "request_invalid")),
        (order("1.00", reason="x" * 141), (400, "request_invalid")),
        (order("0.00"), (400, "request_invalid")),
        ({**order("1.00"), "amount": {"amount_minor": 100, "currency": "CHF"}}, (422, "currency_not_offered")),
    ):  # fmt: skip
        assert refusal(await fiona.post("/corrections", body)) == expected, body
    for what in ("approval", "rejection"):
        assert refusal(await frank.post(f"/corrections/{uuid4()}/{what}")) == (404, "correction_unknown")
    # The wallet had it when it was proposed.
    given = await proposed(fiona, debit=PERSON, credit={"person": "bob"}, text="10.00")
    body_of(await alice.pay(bob, "0.01"), 201)
    path = f"/corrections/{given['correction_id']}"
    assert refusal(await frank.post(f"{path}/approval")) == (422, "insufficient_funds")
    body_of(await bob.pay(alice, "0.01"), 201)
    world.clock.move(hours=24)
    fiona, frank = await again(world, fiona), await again(world, frank)
    assert refusal(await frank.post(f"{path}/approval")) == (409, "correction_expired")
    assert body_of(await frank.get("/corrections"), 200)["items"][0]["state"] == "expired"
    assert body_of(await fiona.post(f"{path}/rejection"), 200)["state"] == "rejected"  # who proposed it takes it back
    full = await proposed(fiona, text="999999.00")
    answer = await frank.post(f"/corrections/{full['correction_id']}/approval")
    assert refusal(answer) == (422, "limit_exceeded")
    assert (await alice.moved_to(world).get("/v1/me")).status_code == 401  # a day later
    alice = await world.sign_in_again(alice)
    assert await alice.balance() == "10.00"


async def again(world: World, operator: SignedInOperator) -> SignedInOperator:
    return SignedInOperator(world, operator.name, operator.key, await sign_in(world, operator.key))


async def test_promised_money_and_the_rules_of_two_people_are_held_by_the_database_too(
    world: World, database: Database, database_url: str
) -> None:
    (alice,) = await world.people(alice="10.00")
    wallet = wallet_account_id(alice.person_id, "SGD")
    guarantee = derive_account_id(uuid4(), AccountKind.GUARANTEE, "SGD")
    corrections = Corrections(database)
    now, someone = world.clock.now, uuid4()
    kept = {}
    for kind, floor in (("escrow", 0), ("in_flight", 0), ("guarantee", None), ("wallet", 0)):
        account_id = guarantee if kind == "guarantee" else AccountId(uuid4())
        currency = "USD" if kind == "wallet" else "SGD"
        await database.pool.execute(
            "INSERT INTO ledger.account (account_id, kind, currency, balance_min_minor) VALUES ($1, $2, $3, $4)",
            account_id, kind, currency, floor,
        )  # fmt: skip
        kept[kind] = account_id

    def new(credit: UUID, debit: UUID = wallet) -> NewCorrection:
        return NewCorrection(
            correction_id=uuid4(), debit_account_id=AccountId(debit), credit_account_id=AccountId(credit),
            amount_minor=5, currency="SGD", reason=WHY,
        )  # fmt: skip

    for other in (kept["escrow"], kept["in_flight"], kept["wallet"], uuid4(), wallet):
        with pytest.raises(AccountNotCorrectable):
            await corrections.propose(new(other), operator_id=someone, by=SYSTEM, now=now)
    one = await corrections.propose(new(guarantee), operator_id=someone, by=SYSTEM, now=now)
    update = "UPDATE ledger.correction SET state = $2, decided_by = $3, decided_at = $4 WHERE correction_id = $1"
    for rule, by, hours in (
        ("correction_needs_two_people", someone, 1), ("correction_expires_after_a_day", uuid4(), 24),
        ("posted_correction_is_in_the_books", uuid4(), 1),
    ):  # fmt: skip
        decided_at = now + timedelta(hours=hours)
        with pytest.raises(asyncpg.CheckViolationError) as caught:
            await database.pool.execute(update, one.correction_id, "posted", by, decided_at)
        assert caught.value.constraint_name == rule
    await corrections.reject(one.correction_id, operator_id=someone, by=SYSTEM, now=now)
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await database.pool.execute(update, one.correction_id, "proposed", None, None)
    assert caught.value.constraint_name == "correction_is_decided_once"
    for statement in (
        "UPDATE ledger.correction SET amount_minor = 6", "UPDATE ledger.correction SET reason = 'another one'",
        "DELETE FROM ledger.correction", "UPDATE ledger.audit_entry SET actor = 'system'",
        "DELETE FROM ledger.audit_entry", "UPDATE ledger.audit_head SET entry_count = 0",
    ):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.pool.execute(statement)
    owner = await asyncpg.connect(database_url)
    try:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute("DELETE FROM ledger.audit_entry")
    finally:
        await owner.close()
