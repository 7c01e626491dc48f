"""After a close everybody can read what became of the money, and the database itself refuses a close that is wrong."""

from typing import Any

import asyncpg
import pytest

from offline.closes import assert_books_are_right, online_of
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, parts, run_sql
from offline.phone import Phone, double_spend
from tikiwallet.identity.types import Tier
from tikiwallet.ledger.types import AccountKind, derive_account_id
from world import World, body_of


async def lines_of(phone: Phone) -> list[dict[str, Any]]:
    view = body_of(await phone.owner.get("/v1/offline/money"), 200)
    return [line for line in view["lines"] if line["line"] in {"closed", "debt"}]


async def told(phone: Phone) -> list[tuple[str, int, str]]:
    """State, amount and sentence of each line about closed vouchers."""
    return [(line["state"], line["amount"]["amount_minor"], line["sentence"]) for line in await lines_of(phone)]


async def close_all(parts: OfflineParts, database_url: str) -> None:
    await let_claims_end(database_url)
    await parts.offline.keep_up()
    await assert_books_are_right(database_url)


async def test_a_clean_close_is_told_and_stands_in_the_history(
    world: World, phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben = await phone_of("asha", "50.00"), await phone_of("ben")
    await asha.load("50.00")
    ben.paid_by(asha, 1500)
    asha.hand_back(1000)
    await asha.sync()
    await close_all(offline_parts, database_url)
    assert await told(asha) == [
        (
            "paid",
            2500,
            (
                "35.00 SGD of your offline money was never paid to anybody and came home. "
                "10.00 SGD had been released to you early."
            ),
        )
    ]
    assert await told(ben) == [("paid", 1500, "15.00 SGD that you were paid is yours.")]
    view = parts(body_of(await asha.owner.get("/v1/offline/money"), 200))
    assert view == {"online": 3500, "offline": 0, "final": 0, "provisional": 0, "underway": 0}
    (newest, *_) = body_of(await ben.owner.get("/v1/history"), 200)["items"]
    assert (newest["kind"], newest["direction"], newest["amount"]["amount_minor"]) == ("settlement", "in", 1500)
    world.clock.move(days=31)
    asha.owner = await world.sign_in_again(asha.owner)
    assert await told(asha) == []


async def test_shared_money_a_debt_and_a_full_wallet_are_told(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory = await phone_of("mallory", "20.00", tier=Tier.PHONE)
    ben, chi = await phone_of("ben"), await phone_of("chi")
    await mallory.load("20.00")
    double_spend(mallory, ben, chi, 1000)
    rest = chi.request(900)
    chi.accept(mallory.sign_payment(rest, (mallory.voucher_piece(1000, 900),)), rest)
    ben.hand_back(1000)
    await ben.sync()
    wallet = derive_account_id(chi.owner.person_id, AccountKind.WALLET, "SGD")
    await run_sql(database_url, "UPDATE ledger.account SET balance_max_minor = 0 WHERE account_id = $1", wallet)
    await run_sql(
        database_url, "UPDATE ledger.account SET out_per_day_max_minor = 0 WHERE account_id = $1",
        derive_account_id(ben.owner.person_id, AccountKind.WALLET, "SGD"),
    )  # fmt: skip
    await chi.sync()
    await close_all(offline_parts, database_url)
    # 1.00 is left of his own for the 10.00 that are missing.
    assert await told(mallory) == [
        (
            "paid",
            0,
            (
                "1.00 SGD of your offline money was never paid to anybody and came home. "
                "1.00 SGD of your money went to people whom you paid with the same offline money."
            ),
        )
    ]
    assert await told(ben) == [
        (
            "paid",
            0,
            (
                "Of 10.00 SGD that you were paid you got 5.50 SGD: the payer spent the same money twice. "
                "10.00 SGD had been released to you early. That was 4.50 SGD too much, which you owe back."
            ),
        ),
        (
            "open",
            450,
            "4.50 SGD that were released to you early are owed back; they are taken from what comes in next.",
        ),
    ]
    assert await told(chi) == [
        (
            "on_its_way",
            1450,
            (
                "Of 19.00 SGD that you were paid you got 14.50 SGD: the payer spent the same money twice. "
                "14.50 SGD waits until your wallet has room for it."
            ),
        )
    ]
    assert parts(body_of(await chi.owner.get("/v1/offline/money"), 200))["underway"] == 1450
    assert await online_of(ben, chi) == (1000, 0)


RULES = [
    ("settled_once", "INSERT INTO offline.payout SELECT gen_random_uuid(), voucher_id, NULL, 'k', 1 FROM {v}"),
    ("settled_once", "INSERT INTO offline.debt SELECT voucher_id, person_id, 1 FROM {v}"),
    ("released_before_closing", "UPDATE offline.voucher SET released_minor = 1 WHERE state = 'closed'"),
    ("voucher_moves_forward", "UPDATE offline.voucher SET state = 'open', closed_at = NULL WHERE state = 'closed'"),
    ("claims_only_end_later", "UPDATE offline.voucher SET claim_until = claim_until - interval '1 day'"),
    ("claims_never_end_early", "UPDATE offline.voucher SET claim_by = claim_until + interval '1 day'"),
    (
        "closed_by_a_settlement",
        "UPDATE offline.voucher SET state = 'closed', closed_at = now() WHERE state = 'closing'",
    ),
    ("debt_never_negative", "UPDATE offline.holder SET debt_minor = -1"),
    ("paid_equals_taken_in", "INSERT INTO offline.settlement SELECT voucher_id, 1, 1, 0, 0, 1, 1 FROM {c}"),
    ("settlement_adds_up", "INSERT INTO offline.settlement SELECT voucher_id, 1, 1000, 0, 0, 0, 1000 FROM {c}"),
    ("settlement_adds_up", "INSERT INTO offline.settlement SELECT voucher_id, 1, 7, 0, 0, 0, 7 FROM {c}"),
]


async def test_the_database_refuses_a_close_that_does_not_add_up(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("10.00")
    await close_all(offline_parts, database_url)
    await asha.load("10.00")
    await asha.load("10.00")
    closing = "SELECT voucher_id FROM offline.voucher WHERE state = 'open' ORDER BY voucher_id LIMIT 1"
    await run_sql(database_url, f"UPDATE offline.voucher SET state = 'closing' WHERE voucher_id = ({closing})")
    await run_sql(
        database_url,
        "INSERT INTO offline.close_attempt SELECT voucher_id, 1, '{}' FROM offline.voucher WHERE state = 'closing'",
    )
    for name, text in RULES:
        statement = text.replace("{v}", "offline.voucher WHERE state = 'closed'")
        statement = statement.replace("{c}", "offline.voucher WHERE state = 'closing'")
        with pytest.raises(asyncpg.CheckViolationError) as found:
            await run_sql(database_url, statement)
        assert found.value.constraint_name == name, statement


async def test_what_a_close_decided_can_be_added_to_and_nothing_else(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"role": "tikiwallet_offline"})
    try:
        for table in (
            "close_attempt", "share", "liability", "payout", "debt", "debt_payment", "settlement", "outage",
        ):  # fmt: skip
            for statement in (f"DELETE FROM offline.{table}", f"TRUNCATE offline.{table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
            column = await connection.fetchval(
                "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1", f"offline.{table}"
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"UPDATE offline.{table} SET {column} = {column}")
    finally:
        await connection.close()
