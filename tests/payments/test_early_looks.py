"""A payment asks for its payee in the call that looks its session up, and a dead session is told nothing of it."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from httpx import ASGITransport, AsyncClient

from databases import execute
from platform_parts import WholeFramework
from tikiwallet.identity.phones import PhoneRules
from tikiwallet.identity.queries import SQL as IDENTITY
from tikiwallet.identity.rows import SessionKey
from tikiwallet.identity.types import FreezeReason
from tikiwallet.ledger.service import SQL as LEDGER
from tikiwallet.platform.audit import By
from world import Someone, World, body_of, money, refusal

pytestmark = pytest.mark.usefixtures("sound_books")
ORDER = {"to": {"username": "bob"}, "amount": money("1.00")}
RAW = json.dumps(ORDER).encode()


@pytest.fixture
async def unhandled() -> AsyncIterator[list[str]]:
    """What the loop would log by the end of the test."""
    found: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context["message"]))
    yield found
    asyncio.get_running_loop().set_exception_handler(None)


class Post:
    """One POST /v1/transfers whose body comes when the test says so."""

    def __init__(self, world: World, someone: Someone) -> None:
        self._app = world.app
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._asked = 0
        self.is_missed = asyncio.Event()  # by the handler
        self._sent: list[Any] = []
        headers = {
            "authorization": f"Bearer {someone.token}", "idempotency-key": "k", "content-type": "application/json"
        }  # fmt: skip
        self._scope = {
            "type": "http", "method": "POST", "path": "/v1/transfers", "query_string": b"", "client": None,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip

    def comes(self, part: bytes, *, more: bool) -> None:
        self._events.put_nowait({"type": "http.request", "body": part, "more_body": more})

    async def _next(self) -> dict[str, Any]:
        self._asked += 1
        if self._asked > 2:  # the first part, and the next one without waiting for it, while the session is looked up
            self.is_missed.set()
        return await self._events.get()

    async def answer(self) -> tuple[int, dict[str, Any]]:
        async def send(message: Any) -> None:
            self._sent.append(message)

        await self._app(self._scope, self._next, send)  # type: ignore[arg-type]
        return self._sent[0]["status"], json.loads(self._sent[1]["body"])


async def signed_out(world: World) -> Someone:
    """Alice, whose token was used and whose session has ended since."""
    alice, _ = await world.people(alice="50.00", bob="0.00")
    body_of(await alice.post("/v1/transfers", ORDER), 201)
    assert (await alice.delete("/v1/sessions/current")).status_code == 204
    return alice


async def test_a_payment_is_two_calls_of_the_database(
    world: World, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    monkeypatch.setattr(world.identity.people, "_phones", PhoneRules(countries=(), default_country="SG"))
    local = bob.phone.removeprefix("+65")
    for to in ({"username": "bob"}, {"username": "BoB"}, {"phone": bob.phone}, {"phone": f"{local[:4]} {local[4:]}"}):
        statements.clear()
        receipt = body_of(await alice.post("/v1/transfers", {**ORDER, "to": to}), 201)
        assert statements == [IDENTITY["sessions_and_people"], LEDGER["post_one"]], to
        assert (receipt["payer"]["username"], receipt["payee"]["username"]) == ("alice", "bob")
        assert receipt["payer"]["phone_masked"] == f"+65 •••• {alice.phone[-4:]}"
        assert receipt == body_of(await bob.get(f"/v1/transfers/{receipt['transfer_id']}"), 200)


async def test_payments_at_the_same_time_share_the_two_calls(world: World, statements: list[str]) -> None:
    alice, bob, carol = await world.people(alice="50.00", bob="50.00", carol="0.00")
    statements.clear()
    answers = await asyncio.gather(alice.pay(carol, "1.00"), bob.pay(carol, "2.00"))
    assert [body_of(answer, 201)["payer"]["username"] for answer in answers] == ["alice", "bob"]
    assert statements == [IDENTITY["sessions_and_people"], LEDGER["post_batch"]]


@pytest.mark.parametrize("is_thin", [True, False])
async def test_a_dead_session_is_told_nothing_else(world: World, *, is_thin: bool) -> None:
    alice = await signed_out(world)
    app: Any = world.app if is_thin else WholeFramework(world.app)
    http = AsyncClient(transport=ASGITransport(app), base_url="http://wallet.test")
    for body in (b"", b'{"to"', b"[]", RAW, RAW.replace(b"bob", b"nobody"), RAW.replace(b"bob", b"alice")):
        for more in ({"idempotency-key": "k"}, {}):
            headers = {"authorization": f"Bearer {alice.token}", "content-type": "application/json", **more}
            answer = await http.post("/v1/transfers", content=body, headers=headers)
            assert refusal(answer) == (401, "session_invalid"), body


async def test_nobody_is_looked_for_by_who_has_no_token_of_ours(world: World, statements: list[str]) -> None:
    (alice,) = await world.people("alice")
    alice.token = alice.token[:-4] + "AAAA"
    statements.clear()
    assert refusal(await alice.post("/v1/transfers", ORDER)) == (401, "session_invalid")
    assert statements == []


async def test_who_may_not_pay_is_told_as_before(world: World) -> None:
    alice, _ = await world.people(alice="50.00", bob="0.00")
    for to, told in (("nobody", (404, "payee_unknown")), ("Alice", (422, "payee_is_payer"))):
        assert refusal(await alice.post("/v1/transfers", {**ORDER, "to": {"username": to}})) == told
    by = By.operator("olga")
    await world.identity.operators.freeze("alice", FreezeReason.UNUSUAL, by=by, now=world.clock.now)
    for body in (ORDER, {**ORDER, "to": {"username": "nobody"}}):
        assert refusal(await alice.post("/v1/transfers", body)) == (403, "person_frozen")
    assert refusal(await alice.post("/v1/transfers", {})) == (400, "request_invalid")


async def test_a_body_that_comes_late_is_waited_for_by_who_has_a_session(world: World) -> None:
    alice, _ = await world.people(alice="50.00", bob="0.00")
    late = Post(world, alice)
    late.comes(RAW[:10], more=True)
    answer = asyncio.create_task(late.answer())
    await late.is_missed.wait()
    late.comes(RAW[10:], more=False)
    status, receipt = await answer
    assert (status, receipt["payee"]["username"]) == (201, "bob")


async def test_a_dead_session_is_not_asked_for_the_rest_of_its_body(world: World) -> None:
    late = Post(world, await signed_out(world))
    late.comes(RAW[:10], more=True)
    status, problem = await late.answer()  # nothing more ever comes
    assert (status, problem["code"]) == (401, "session_invalid")


async def test_a_look_that_finds_no_room_is_tried_again_by_the_handler(
    world: World, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    monkeypatch.setattr(world.identity._rows._batcher, "_waiting_max", 1)
    statements.clear()
    body_of(await alice.pay(bob, "1.00"), 201)
    assert statements == [IDENTITY["sessions_and_people"]] * 2 + [LEDGER["post_one"]]


async def test_a_look_that_fails_and_nobody_waits_for_is_not_logged(
    world: World, unhandled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")

    async def breaks(*_: object) -> object:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(world.identity.database.pool, "fetch", breaks)
        assert (await alice.pay(bob, "1.00")).status_code == 500
    gc.collect()
    assert unhandled == []
    body_of(await alice.pay(bob, "1.00"), 201)


async def test_a_request_that_is_given_up_leaves_nothing_behind(world: World, unhandled: list[str]) -> None:
    alice, bob = await world.people(alice="50.00", bob="0.00")
    post = Post(world, alice)
    post.comes(RAW, more=False)
    answer = asyncio.create_task(post.answer())
    await asyncio.sleep(0)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    body_of(await alice.pay(bob, "1.00"), 201)
    gc.collect()
    assert unhandled == []
    assert await world.balances() == {"alice": "49.00", "bob": "1.00"}


async def test_each_finds_what_was_asked_and_who_has_left_is_found_by_id_only(world: World, database_url: str) -> None:
    alice, bob = await world.people("alice", "bob")
    rows = world.identity._rows
    session = SessionKey(alice.caller().session_id)
    assert set(await rows.get((session, bob.person_id, bob.phone, "bob"))) == {
        session, bob.person_id, bob.phone, "bob"
    }  # fmt: skip
    assert set(await rows.get((alice.person_id, session.session_id, SessionKey(alice.person_id), "", uuid4()))) == {
        alice.person_id
    }
    assert body_of(await bob.post("/v1/me/closing"), 200)["state"] == "closed"
    keys = (bob.person_id, bob.phone, "bob", SessionKey(bob.caller().session_id), session)
    assert set(await rows.get(keys)) == {bob.person_id, session}
    await execute(
        database_url, f"UPDATE identity.session SET revoked_at = now() WHERE session_id = '{session.session_id}'"
    )
    assert set(await rows.get(keys)) == {bob.person_id}
