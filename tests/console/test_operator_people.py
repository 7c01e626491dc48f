"""What operators see of people and do about them, each with an entry that says who, why and from where."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from httpx import Response

from offline.conftest import run_sql
from offline.phone import Phone
from offline.test_operator_commands import tikiwallet
from operators import REASON, SignedInOperator, an_operator, sign_in, token_in
from tikiwallet.console.rights import RIGHTS, Right, rights_of
from tikiwallet.funding.reconciliation import Entry
from tikiwallet.identity.acts import AUDIT
from tikiwallet.identity.operator_accounts import OperatorRole
from tikiwallet.identity.types import PersonId
from tikiwallet.platform.audit import SYSTEM
from tikiwallet.platform.money import Balance
from world import World, body_of, money, refusal


async def looked_up(operator: SignedInOperator, who: str) -> Response:
    return await operator.post("/lookups", {"who": who, "reason": REASON})


def told(found: Any) -> Iterator[object]:
    """Every value in an answer, each by itself: digits may stand in a time or an id by chance."""
    if isinstance(found, dict | list):
        for each in found.values() if isinstance(found, dict) else found:
            yield from told(each)
    else:
        yield found


async def test_a_person_is_found_by_name_and_number_with_sessions_and_every_look_is_written_down(
    world: World,
) -> None:
    (alice,) = await world.people(alice="50.00")
    olivia = await an_operator(world, "olivia", "support")
    found = body_of(await looked_up(olivia, "alice"), 200)
    assert body_of(await looked_up(olivia, alice.phone), 200) == found
    assert (found["username"], found["state"], found["tier"], len(found["sessions"])) == ("alice", "active", "phone", 1)
    assert alice.phone not in json.dumps(found)
    assert not {5000, "5000", "50.00"} & set(told(found))  # the balance is nobody's business
    for who in ("mallory", "+6580000000", "nobody's name"):
        assert refusal(await looked_up(olivia, who)) == (404, "person_unknown")
    for body in ({"who": "alice"}, {"who": "alice", "reason": "hm"}, {"who": "", "reason": REASON}):
        assert refusal(await olivia.post("/lookups", body)) == (400, "request_invalid")
    entries = [each for each in await AUDIT.entries(world.identity.database) if each.act == "person_looked_up"]
    assert [(each.actor, each.subject) for each in entries] == [
        ("operator:olivia", alice.person_id), ("operator:olivia", alice.person_id), *[("operator:olivia", None)] * 3,
    ]  # fmt: skip
    assert {(each.detail, each.address) for each in entries} == {(f'{{"reason":"{REASON}"}}', "127.0.0.1")}
    assert {each.session_id for each in entries} != {None}


async def test_sessions_end_and_a_wallet_is_frozen_with_a_reason_and_let_go(world: World) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    olivia = await an_operator(world, "olivia", "support")
    rita = await an_operator(world, "rita", "risk")
    path = f"/people/{alice.person_id}"
    body_of(await olivia.post(f"{path}/sign-out", {"reason": REASON}), 200)
    assert refusal(await alice.get("/v1/me")) == (401, "session_invalid")
    alice = await world.sign_in_again(alice)
    order = {"because": "unusual", "reason": "three chargebacks in a day"}
    assert refusal(await olivia.post(f"{path}/freeze", order)) == (403, "right_missing")
    frozen = body_of(await rita.post(f"{path}/freeze", order), 200)
    assert (frozen["state"], frozen["frozen_because"]) == ("frozen", "unusual")
    assert refusal(await alice.pay(bob, "1.00")) == (403, "person_frozen")
    assert body_of(await alice.get("/v1/me"), 200)["frozen_because"] == "unusual"
    assert body_of(await rita.post(f"{path}/unfreeze", {"reason": "it was her sister"}), 200)["state"] == "active"
    body_of(await alice.pay(bob, "1.00"), 201)
    for what, body in (("sign-out", {"reason": REASON}), ("freeze", order), ("unfreeze", {"reason": REASON})):
        answer = await rita.post(f"/people/{uuid4()}/{what}", body)
        assert refusal(answer) == (404, "person_unknown")
    assert refusal(await rita.post(f"{path}/freeze", {"because": "mood", "reason": REASON})) == (400, "request_invalid")
    states = [
        (each.actor, json.loads(each.detail).get("note"))
        for each in await AUDIT.entries(world.identity.database, about=alice.person_id)
        if each.act in {"state_changed", "sessions_ended_by_operator"}
    ]
    assert states == [
        ("operator:olivia", None), ("operator:rita", "three chargebacks in a day"),
        ("operator:rita", "it was her sister"),
    ]  # fmt: skip


async def test_a_closed_wallet_isnt_frozen_and_an_erased_one_has_no_number(world: World) -> None:
    (alice,) = await world.people("alice")
    rita = await an_operator(world, "rita", "risk")
    assert body_of(await alice.post("/v1/me/closing"), 200)["state"] == "closed"
    path = f"/people/{alice.person_id}"
    order = {"because": "law", "reason": "letter of the court"}
    assert refusal(await rita.post(f"{path}/freeze", order)) == (409, "person_closed")
    assert body_of(await rita.post(f"{path}/unfreeze", {"reason": REASON}), 200)["state"] == "closed"
    await world.identity.closings.erase(PersonId(alice.person_id), by=SYSTEM, now=world.clock.now)
    shown = body_of(await rita.post(f"{path}/sign-out", {"reason": REASON}), 200)
    assert (shown["phone_masked"], shown["sessions"]) == ("", [])
    assert shown["username"].startswith("gone_")


async def test_an_admin_gives_a_tier_and_its_limits(world: World) -> None:
    (alice,) = await world.people("alice")
    adam = await an_operator(world, "adam", "admin")
    order = {"who": "alice", "tier": "identified", "reason": "passport seen at the counter"}
    assert body_of(await adam.post("/tiers", order), 200) == {"username": "alice", "tier": "identified"}
    assert body_of(await alice.get("/v1/me"), 200)["tier"] == "identified"
    assert refusal(await adam.post("/tiers", {**order, "who": "mallory"})) == (404, "person_unknown")
    (entry,) = [each for each in await AUDIT.entries(world.identity.database) if each.act == "tier_changed"]
    assert json.loads(entry.detail)["note"] == "passport seen at the counter"


PARKED = """
    INSERT INTO funding_jobs.pgqueuer (priority, status, entrypoint, payload)
    VALUES (0, 'failed', 'continue_operation', $1) RETURNING id
"""
LOGGED = """
    INSERT INTO funding_jobs.pgqueuer_log (job_id, status, priority, entrypoint, traceback)
    VALUES ($1, 'exception', 0, 'continue_operation', jsonb_build_object(
        'job_id', $1::bigint, 'timestamp', now(), 'exception_type', $2::text, 'exception_message', $3::text,
        'traceback', '', 'additional_context', null
    ))
"""


async def test_what_is_stuck_says_why_and_what_needs_a_person_stands_first(world: World, database_url: str) -> None:
    (alice,) = await world.people(alice="50.00")
    olivia = await an_operator(world, "olivia", "support")
    since = f"since {world.clock.now:%d %B %Y %H:%M} UTC."
    first = await alice.post("/v1/top-ups", {"amount": money("1.37")})
    second = await alice.post("/v1/withdrawals", {"amount": money("2.37")})
    ids = [answer.json()["operation_id"] for answer in (first, second)]
    stuck = body_of(await looked_up(olivia, "alice"), 200)["stuck"]
    assert [(each["what"], each["sentence"], each["needs_a_person"]) for each in stuck] == [
        (f"top-up {ids[0]}", f"The top-up waits for the bank, which hasn't decided, {since}", False),
        (
            f"withdrawal {ids[1]}",
            f"The withdrawal has its money set aside and waits for the bank, which hasn't decided, {since}", False,
        ),
    ]  # fmt: skip
    everything = body_of(await olivia.get("/stuck"), 200)["items"]
    assert everything == stuck
    # A job that was given up belongs to its operation; one of something else stands by itself.
    for payload, error in ((f"{ids[1]}:1", "TimeoutError"), ("another operation", "AssertionError")):
        (job,) = await run_sql(database_url, PARKED, payload.encode())
        await run_sql(database_url, LOGGED, job["id"], error, f"call +6591234567 about {payload}")
    found = body_of(await olivia.get("/stuck"), 200)["items"]
    assert [(each["what"].split()[0], each["needs_a_person"]) for each in found] == [
        ("withdrawal", True), ("job", True), ("top-up", False),
    ]  # fmt: skip
    assert "We gave up trying at" in found[0]["sentence"]
    assert "TimeoutError" in found[0]["sentence"]
    assert f"tikiwallet jobs retry funding/{job['id'] - 1}" in found[0]["sentence"]
    assert "6591234567" not in json.dumps(found)
    assert body_of(await looked_up(olivia, "alice"), 200)["stuck"] == [found[0], found[2]]


async def test_a_voucher_past_its_day_says_until_when_it_waits(world: World, database_url: str) -> None:
    (asha,) = await world.people(asha="50.00")
    rita = await an_operator(world, "rita", "risk")
    phone = await Phone(asha, world, "phone").register()
    await phone.load("20.00")
    assert body_of(await looked_up(rita, "asha"), 200)["stuck"] == []
    (voucher,) = await run_sql(database_url, "SELECT spend_by, claim_until FROM offline.voucher")
    world.clock.now = voucher["spend_by"] + timedelta(hours=1)
    rita.token = token_in(await sign_in(world, rita.key))
    (item,) = body_of(await looked_up(rita, "asha"), 200)["stuck"]
    assert item["what"].startswith("voucher ")
    until = f"{voucher['claim_until']:%d %B %Y %H:%M} UTC"
    assert f"can't be paid with any more; payments made with it are taken until {until}" in item["sentence"]
    assert (item["amount"], item["needs_a_person"]) == (money("20.00"), False)
    risk = body_of(await rita.get("/risk"), 200)
    assert (risk["vouchers_open"], risk["currency"], risk["double_spends"]) == (1, "SGD", [])


async def test_reconciliation_says_where_there_is_nothing_to_compare_with(world: World) -> None:
    fiona = await an_operator(world, "fiona", "finance")
    shown = body_of(await fiona.get("/reconciliation"), 200)
    assert (shown["is_compared"], shown["lines"]) == (False, [])
    world.app.state.funding.provider = OneCharge(world.clock.now)
    shown = body_of(await fiona.get("/reconciliation"), 200)
    (line,) = shown["lines"]
    assert (shown["is_compared"], shown["is_right"]) == (True, False)
    assert (line["finding"], line["there_minor"]) == ("missing_here", 700)


class OneCharge:
    """A provider that took 7.00 which our books know nothing of."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    async def entries(self, *, since: datetime) -> list[Entry]:
        assert since < self.at
        return [Entry(entry_id="ch_1", subject="", kind="charge", amount_minor=700, currency="SGD", at=self.at)]

    async def held(self) -> list[Balance]:
        return [Balance(amount_minor=700, currency="SGD")]


def test_every_right_belongs_to_somebody_and_no_role_has_all() -> None:
    assert set(RIGHTS) == set(Right)
    assert all(RIGHTS.values())
    for role in OperatorRole:
        assert set(rights_of([role])) < set(Right)
    assert set(rights_of(list(OperatorRole))) == set(Right)


async def test_the_commands_make_change_and_disable_operators(database_url: str, data_dir: Path) -> None:
    code, said = await tikiwallet(database_url, data_dir, "operator", "add", "olivia", "--role", "support")
    assert code == 0, said
    assert len(re.findall(r"http://localhost:8000/operator#enrol=[A-Za-z0-9_-]{43}\n", said)) == 1
    for words, expected in (
        (("add", "olivia", "--role", "risk"), "operator_name_taken"),
        (("add", "Olivia!", "--role", "risk"), "operator_name_invalid"),
        (("link", "nobody"), "operator_unknown"),
        (("disable", "nobody"), "operator_unknown"),
        (("add", "peter", "--role", "king"), "Invalid value"),
    ):
        code, said = await tikiwallet(database_url, data_dir, "operator", *words)
        assert code != 0
        assert expected in said
    code, said = await tikiwallet(
        database_url, data_dir, "operator", "roles", "olivia", "--role", "finance", "--role", "risk"
    )
    assert (code, said) == (0, "olivia has the roles finance, risk.\n")
    assert (await tikiwallet(database_url, data_dir, "operator", "list"))[1] == (
        "olivia  risk, finance  has no passkey yet, never seen\n"
    )
    assert (await tikiwallet(database_url, data_dir, "operator", "disable", "olivia"))[0] == 0
    assert "operator_disabled" in (await tikiwallet(database_url, data_dir, "operator", "link", "olivia"))[1]
