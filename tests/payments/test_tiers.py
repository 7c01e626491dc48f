"""What a tier may do stands on the accounts, the wallet tells how much of it is left, and an operator changes it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from crashes import open_database
from offline.test_operator_commands import tikiwallet
from tikiwallet.identity.acts import AUDIT
from tikiwallet.identity.types import Tier
from tikiwallet.identity.verification import DocumentKind, DocumentRefused, Evidence, SeenByOperator
from tikiwallet.ledger.types import Limits, month_ends_at
from tikiwallet.payments.tiers import read_tiers
from tikiwallet.platform.audit import By
from tikiwallet.platform.config import ConfigError
from world import Someone, World, body_of, money, open_world, refusal

FILE = """
[phone.SGD]
balance_max_minor = 60_00
out_per_day_max_minor = 20_00
out_per_month_max_minor = 30_00
[identified.SGD]
out_per_day_max_minor = 25_00
out_per_month_max_minor = 30_00
"""


@pytest.fixture
def limits_file(tmp_path: Path) -> str:
    path = tmp_path / "limits.toml"
    path.write_text(FILE)
    return str(path)


def rewrite(file: str, text: str) -> None:
    Path(file).write_text(text)


async def left(someone: Someone) -> tuple[int, int]:
    (found,) = body_of(await someone.get("/v1/limits"), 200)["items"]
    return found["day"]["left_minor"], found["month"]["left_minor"]


async def test_a_wallet_tells_what_it_may_still_do_and_a_refusal_which_limit_stood_in_the_way(
    database_url: str, data_dir: Path, limits_file: str
) -> None:
    async with open_world(database_url, data_dir, tier_limits=limits_file) as world:
        alice, bob = await world.people(alice="50.00", bob="0.00")
        today = world.clock.now.replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow, next_month = (
            at.isoformat().replace("+00:00", "Z") for at in (today + timedelta(days=1), month_ends_at(today))
        )
        body_of(await alice.pay(bob, "12.00"), 201)
        assert body_of(await alice.get("/v1/limits"), 200)["items"] == [
            {
                "currency": "SGD", "balance_minor": 38_00, "balance_max_minor": 60_00,
                "day": {"out_minor": 12_00, "out_max_minor": 20_00, "left_minor": 8_00, "resets_at": tomorrow},
                "month": {"out_minor": 12_00, "out_max_minor": 30_00, "left_minor": 18_00, "resets_at": next_month},
            }
        ]  # fmt: skip
        answer = await alice.pay(bob, "8.01")
        assert refusal(answer) == (422, "limit_exceeded")
        assert answer.json()["passed"] == {
            "limit": "day", "left_minor": 8_00, "currency": "SGD", "resets_at": tomorrow,
        }  # fmt: skip
        assert answer.json()["detail"].startswith("8.00 SGD can still leave your wallet today; more from 2")
        # A withdrawal is judged by the same limit; by the longer one if that stands in the way too.
        answer = await alice.post("/v1/withdrawals", {"amount": money("18.01")})
        assert answer.json()["passed"]["limit"] == "month"
        # Only the room in one's own wallet is told.
        answer = await alice.top_up("22.01")
        assert answer.json()["passed"] == {"limit": "balance", "left_minor": 22_00, "currency": "SGD"}
        carol = (await world.people(carol="55.00"))[0]
        answer = await alice.pay(carol, "6.00")
        assert refusal(answer) == (422, "limit_exceeded")
        assert answer.json()["passed"] == {"limit": "other_balance"}
        request = body_of(await bob.post("/v1/requests", {"payer": {"username": "alice"}, "amount": money("9")}), 201)
        answer = await alice.post(f"/v1/requests/{request['request_id']}/payment")
        assert answer.json()["passed"]["limit"] == "day"
        body_of(await alice.pay(bob, "8.00"), 201)
        assert await left(alice) == (0, 10_00)


async def test_an_operator_sees_a_document_and_the_limits_follow(
    database_url: str, data_dir: Path, limits_file: str
) -> None:
    async with open_world(database_url, data_dir, tier_limits=limits_file) as world:
        alice, bob = await world.people(alice="50.00", bob="0.00")
        body_of(await alice.pay(bob, "20.00"), 201)
        environ = {"TIKIWALLET_TIER_LIMITS": limits_file}
        seen = ("verify-person", "alice", "--document", "passport", "--country", "sg", "--valid-until")
        code, said = await tikiwallet(database_url, data_dir, *seen, "2020-05-01", **environ)
        assert (code, said) == (1, "tikiwallet: This document expired on 2020-05-01. (document_refused)\n")
        assert await left(alice) == (0, 10_00)
        code, said = await tikiwallet(database_url, data_dir, *seen, "2099-05-01", "--by", "olga", **environ)
        assert (code, said) == (0, "alice is now identified.\n")
        assert await left(alice) == (5_00, 10_00)  # what left already counts
        async with open_database(database_url, "identity") as database:
            entry = (await AUDIT.entries(database, about=alice.person_id))[-1]
        assert (entry.act, entry.actor) == ("person_verified", "operator:olga")
        assert json.loads(entry.detail) == {
            "verifier": "seen_by_operator", "document": "passport", "country": "SG", "valid_until": "2099-05-01",
            "before": "phone", "after": "identified",
        }  # fmt: skip
        # The tier was changed and the process died before the wallet followed: the same command again mends it.
        await world.identity.operators.set_tier("bob", Tier.IDENTIFIED, by=By.operator("olga"), now=world.clock.now)
        assert await left(bob) == (20_00, 30_00)
        assert (await tikiwallet(database_url, data_dir, "set-tier", "identified", "bob", **environ))[0] == 0
        assert await left(bob) == (25_00, 30_00)
        # Other numbers reach the wallets that there are; below what is there nothing more comes in, and all may leave.
        rewrite(limits_file, "[identified.SGD]\nbalance_max_minor = 1_00\n")
        code, said = await tikiwallet(database_url, data_dir, "apply-tiers", **environ)
        assert (code, said) == (0, "Wallets with the numbers of their tier: 2.\n")
        assert refusal(await alice.pay(bob, "1.00")) == (422, "limit_exceeded")
        assert await left(alice) == (20_000_00 - 20_00, 100_000_00 - 20_00)


async def test_a_document_that_proves_nothing_raises_no_tier(world: World) -> None:
    (shop,) = await world.people("shop")
    verify, olga = world.identity.verifications.verify, By.operator("olga")
    register = Evidence(document=DocumentKind.BUSINESS_REGISTER, country="SG", valid_until=None)
    passport = Evidence(document=DocumentKind.PASSPORT, country="SG", valid_until=None)
    atlantis = Evidence(document=DocumentKind.PASSPORT, country="AT_LANTIS", valid_until=None)
    with pytest.raises(DocumentRefused, match="no country") as refused:
        await verify("shop", SeenByOperator(atlantis), by=olga, now=world.clock.now)
    assert refused.value.code == "document_refused"
    assert body_of(await shop.get("/v1/me"), 200)["tier"] == "phone"
    person = await verify("shop", SeenByOperator(register), by=olga, now=world.clock.now)
    assert person.tier is Tier.TILL
    with pytest.raises(DocumentRefused, match="business register"):
        await verify("shop", SeenByOperator(passport), by=olga, now=world.clock.now)


BAD_FILES = {
    "[king.SGD]\nbalance_max_minor = 1": "know no [king]",
    "[phone.EUR]\nbalance_max_minor = 1": "in no currency of this wallet: EUR",
    "[phone]\nSGD = 1": "must hold a table [phone.SGD]",
    "phone = 1": "know no [phone]",
    "[phone.SGD]\nbalance_max = 1": "unknown field `balance_max`",
    "[phone.SGD]\nbalance_max_minor = 1.5": "Expected `int`",
    "[phone.SGD]\nbalance_max_minor = -1": "balance_max_minor of [phone.SGD] must be from 0",
    "[phone.SGD]\nout_per_month_max_minor = 1": "lets more leave in a day than in a month",
    "[till.SGD]\nbalance_max_minor = 900_000_000_01": "holds more than TIKIWALLET_WALLET_BALANCE_MAX_MINOR",
    "[till.SGD": "can't be read",
}


def test_numbers_that_make_no_sense_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    for text, reason in BAD_FILES.items():
        path.write_text(text)
        with pytest.raises(ConfigError) as error:
            read_tiers(str(path), currencies=("SGD",), balance_max_minor=900_000_000_00)
        assert reason in str(error.value)
    with pytest.raises(ConfigError, match="can't be read"):
        read_tiers(str(tmp_path / "none.toml"), currencies=("SGD",), balance_max_minor=1)


def test_the_same_numbers_are_scaled_to_what_a_unit_is_worth() -> None:
    tiers = read_tiers("", currencies=("SGD", "IDR", "JPY"), balance_max_minor=10**15)
    assert tiers.limits(Tier.PHONE, "SGD") == Limits(
        balance_max_minor=20_000_00, out_per_day_max_minor=5_000_00, out_per_month_max_minor=20_000_00
    )
    assert tiers.limits(Tier.TILL, "IDR").out_per_day_max_minor == 200_000 * 10_000 * 100
    assert tiers.limits(Tier.PHONE, "JPY").balance_max_minor == 20_000 * 100  # no minor unit below the yen
    assert read_tiers("", currencies=("SGD",), balance_max_minor=7).limits(Tier.TILL, "SGD").balance_max_minor == 7
