"""Nobody learns whether a phone number has a wallet: not from an answer, and not from the work that it takes.

Work is counted, in hashes, statements and messages, because a time is never the same twice; `make timing` prints times.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from httpx import Response

from tikiwallet.identity.passwords import PasswordHasher
from tikiwallet.identity.texts import TextMessages
from world import PASSWORD, World, body_of

STRANGER = "+6591239999"
UUIDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Ask = Callable[[str], Awaitable[Response]]


class Work(Counter[str]):
    """What was done since the last look, by name."""

    def taken(self) -> dict[str, int]:
        found = dict(self)
        self.clear()
        return found


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    counted = Work()

    def count(owner: type, method: str, name: Callable[..., str]) -> None:
        real = getattr(owner, method)

        async def counting(self: object, *given: Any, **named: Any) -> Any:
            counted[name(*given, **named)] += 1
            return await real(self, *given, **named)

        monkeypatch.setattr(owner, method, counting)

    def statement(query: str, *_: object, **__: object) -> str:
        return " ".join(query.split())

    count(PasswordHasher, "_in_thread", lambda _: "hash")
    count(TextMessages, "send", lambda *_, **__: "message")
    count(asyncpg.Connection, "_execute", statement)
    count(asyncpg.Connection, "execute", statement)
    return counted


async def both(
    world: World, work: Work, ask: Ask, *, known: str, unknown: str = STRANGER, tries: int = 2
) -> dict[str, int]:
    """Ask for a known and for an unknown number; return the work, which has to be the same, as has the answer."""
    await ask("+6591238888")  # what is done once, e.g. counters that begin, has been done
    if tries > 1:  # what answers "tries left" isn't asked more often for one of them
        await ask(known)
    work.taken()
    answers, works = [], []
    for phone in (known, unknown, known)[: tries + 1]:
        answers.append(await ask(phone))
        works.append(work.taken())
    assert all(done == works[0] for done in works)
    assert len({answer.status_code for answer in answers}) == 1
    assert len({UUIDS.sub("an id", answer.text) for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers)) for answer in answers}) == 1
    return works[0]


async def test_signing_up_is_the_same_work_for_a_phone_that_has_a_wallet(world: World, work: Work) -> None:
    (alice,) = await world.people("alice")

    async def sign_up(phone: str) -> Response:
        order = {"phone": phone, "username": "somebody", "password": PASSWORD}
        return await world.http.post("/v1/registrations", json=order)

    done = await both(world, work, sign_up, known=alice.phone)
    assert (done["hash"], done["message"]) == (1, 1)


async def test_a_fresh_code_is_the_same_work(world: World, work: Work) -> None:
    (alice,) = await world.people("alice")
    started = {}
    for phone in (alice.phone, STRANGER, "+6591238888"):
        order = {"phone": phone, "username": "somebody", "password": PASSWORD}
        started[phone] = body_of(await world.http.post("/v1/registrations", json=order), 202)["registration_id"]

    async def fresh_code(phone: str) -> Response:
        return await world.http.post(f"/v1/registrations/{started[phone]}/code")

    done = await both(world, work, fresh_code, known=alice.phone)
    assert (done.get("hash"), done["message"]) == (None, 1)


@pytest.mark.parametrize("unknown", [STRANGER, "+6591237777"])
async def test_signing_in_is_the_same_work_until_the_password_is_right(world: World, work: Work, unknown: str) -> None:
    (alice,) = await world.people("alice")

    async def sign_in(phone: str) -> Response:
        return await world.http.post("/v1/sessions", json={"phone": phone, "password": "not this one"})

    done = await both(world, work, sign_in, known=alice.phone, unknown=unknown)
    assert (done["hash"], done.get("message")) == (1, None)


async def test_a_lost_password_is_the_same_work(world: World, work: Work) -> None:
    (alice,) = await world.people("alice")
    resets = {}

    async def begin(phone: str) -> Response:
        answer = await world.http.post("/v1/password-resets", json={"phone": phone})
        resets[phone] = f"/v1/password-resets/{answer.json()['reset_id']}"
        return answer

    async def fresh_code(phone: str) -> Response:
        return await world.http.post(f"{resets[phone]}/code")

    async def prove(phone: str) -> Response:
        # A code of six digits is right once in a million; then this test fails once.
        order = {"code": "000000", "password": "nine blue kettles"}
        return await world.http.post(f"{resets[phone]}/verification", json=order)

    for ask, messages in ((begin, 1), (fresh_code, 1)):
        done = await both(world, work, ask, known=alice.phone)
        assert (done.get("hash"), done.get("message")) == (None, messages)
    assert "hash" not in await both(world, work, prove, known=alice.phone, tries=1)
