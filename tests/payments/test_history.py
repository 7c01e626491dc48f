"""What happened to my wallet, newest first, with the balance after each movement."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from crashes import open_ledger
from tikiwallet.ledger.types import (
    AccountId,
    AccountKind,
    Limits,
    Transfer,
    TransferId,
    TransferKind,
    derive_account_id,
)
from tikiwallet.payments.wallets import wallet_account_id
from world import Someone, World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")


async def history(someone: Someone, **query: str) -> list[tuple[str, str, int, int]]:
    page = body_of(await someone.get("/v1/history", **query), 200)
    return [
        (item["kind"], item["direction"], item["amount"]["amount_minor"], item["balance"]["amount_minor"])
        for item in page["items"]
    ]


async def test_every_movement_is_told_with_the_other_side_and_the_balance(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    sent = body_of(await alice.pay(bob, "20.00", memo="rice"), 201)
    body_of(await bob.pay(alice, "5.00", memo="change"), 201)
    body_of(await alice.post("/v1/withdrawals", {"amount": money("10.00")}), 201)
    page = body_of(await alice.get("/v1/history"), 200)
    assert await history(alice) == [
        ("withdrawal", "out", 10_00, 25_00),
        ("payment", "in", 5_00, 35_00),
        ("payment", "out", 20_00, 30_00),
        ("top_up", "in", 50_00, 50_00),
    ]
    assert [item["counterparty"] for item in page["items"]] == ["bank", sent["payee"], sent["payee"], "bank"]
    assert [item["memo"] for item in page["items"]] == ["", "change", "rice", ""]
    assert page["items"][2]["transfer_id"] == sent["transfer_id"]
    assert page["items"][2]["at"] == sent["sent_at"]
    assert page["next_cursor"] is None
    assert await history(bob) == [("payment", "out", 5_00, 15_00), ("payment", "in", 20_00, 20_00)]


async def test_a_history_is_narrowed(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    sent = body_of(await alice.pay(bob, "20.00"), 201)
    body_of(await bob.pay(alice, "5.00"), 201)
    top_up = ("top_up", "in", 50_00, 50_00)
    payment = ("payment", "out", 20_00, 30_00)
    returned = ("payment", "in", 5_00, 35_00)
    assert await history(alice, kind="payment") == [returned, payment]
    assert await history(alice, direction="in") == [returned, top_up]
    assert await history(alice, kind="payment", direction="out") == [payment]
    assert await history(alice, since=sent["sent_at"]) == [returned, payment]
    assert await history(alice, until=sent["sent_at"]) == [top_up]
    tomorrow = (datetime.fromisoformat(sent["sent_at"]) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert await history(alice, since=tomorrow) == []
    assert await history(alice, currency="SGD", kind="load") == []


async def test_new_movements_never_shift_a_page(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    for text in ("1.00", "2.00", "3.00"):
        body_of(await alice.pay(bob, text), 201)
    first = body_of(await alice.get("/v1/history", limit="2"), 200)
    assert [item["amount"]["amount_minor"] for item in first["items"]] == [3_00, 2_00]
    body_of(await alice.pay(bob, "4.00"), 201)
    second = body_of(await alice.get("/v1/history", limit="2", cursor=first["next_cursor"]), 200)
    assert [item["amount"]["amount_minor"] for item in second["items"]] == [1_00, 50_00]
    assert second["next_cursor"] is None
    empty = body_of(await bob.get("/v1/history", cursor="1"), 200)
    assert empty == {"items": [], "next_cursor": None}


async def test_offline_money_and_corrections_have_a_plain_word(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    operator_id, escrow_owner = uuid4(), uuid4()
    escrow = derive_account_id(escrow_owner, AccountKind.ESCROW, "SGD")
    guarantee = derive_account_id(operator_id, AccountKind.GUARANTEE, "SGD")
    wallet = wallet_account_id(alice.person_id, "SGD")
    async with open_ledger(database_url) as ledger:
        await ledger.open_account(escrow, kind=AccountKind.ESCROW, currency="SGD", limits=Limits())
        await ledger.open_account(
            guarantee, kind=AccountKind.GUARANTEE, currency="SGD", limits=Limits(balance_min_minor=None)
        )

        async def move(debit: AccountId, credit: AccountId, kind: TransferKind) -> TransferId:
            transfer = Transfer(
                transfer_id=TransferId(uuid4()), debit_account_id=debit, credit_account_id=credit, amount_minor=1_00,
                currency="SGD", kind=kind, note="a word of its own",
            )  # fmt: skip
            assert (await ledger.post(transfer)).is_posted
            return transfer.transfer_id

        await move(wallet, escrow, TransferKind.LOAD)
        await move(escrow, wallet, TransferKind.RELEASE)
        fee = await move(wallet, guarantee, TransferKind.PAYMENT)
        await move(guarantee, wallet, TransferKind.CORRECTION)
    assert refusal(await alice.get(f"/v1/transfers/{fee}")) == (404, "transfer_unknown")
    items = body_of(await alice.get("/v1/history"), 200)["items"]
    assert [(item["kind"], item["counterparty"], item["memo"]) for item in items] == [
        ("correction", "operator", "a word of its own"), ("payment", "operator", "a word of its own"),
        ("release", "offline", ""), ("load", "offline", ""), ("top_up", "bank", ""),
    ]  # fmt: skip


async def test_a_malformed_question_is_refused(world: World) -> None:
    (alice,) = await world.people("alice")
    for query in (
        {"limit": "0"}, {"limit": "101"}, {"limit": "many"}, {"limit": "9" * 5000}, {"cursor": "first"},
        {"cursor": "0"}, {"kind": "gift"}, {"direction": "up"}, {"since": "yesterday"},
        {"since": "2026-01-01T00:00:00"}, {"page": "2"}, {"currency": "sgd"},
    ):  # fmt: skip
        assert refusal(await alice.get("/v1/history", **query)) == (400, "request_invalid"), query
    assert refusal(await alice.get("/v1/history", currency="EUR")) == (422, "currency_not_offered")
