"""The wallet as a test sees it: the real application on a real database, spoken to over HTTP."""

import asyncio
import base64
import contextlib
import copy
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
from httpx import ASGITransport, AsyncClient, Response
from litestar import Litestar
from litestar.datastructures import State

from tikiwallet.app import build_routes, put_behind
from tikiwallet.identity.refresh import make_refresh_token
from tikiwallet.identity.service import Identity
from tikiwallet.identity.sessions import NewSession
from tikiwallet.platform.config import Settings, read_settings
from tikiwallet.platform.http import Caller
from tikiwallet.platform.money import format_decimal, parse_decimal
from tikiwallet.platform.thin import Application

PASSWORD = "seven green umbrellas"
# What all people sign up and sign in on, in every world, unless a test says another: so it is known to those who did.
DEVICE = "one-device-of-all-tests-" + "x" * 19
# Real argon2id costs 30 ms a hash on purpose; tests/identity/test_passwords.py holds the production values.
WEAK_ARGON2 = {"password_memory_kib": 8, "password_passes": 1, "password_lanes": 1}


def settings_for_tests(data_dir: Path, **changes: object) -> Settings:
    """Return demo settings whose text messages go to files below `data_dir`."""
    settings = read_settings({"TIKIWALLET_SMS_SENDER": "file", "TIKIWALLET_DATA_DIR": str(data_dir)})
    return msgspec.structs.replace(settings, **{**WEAK_ARGON2, **changes})


class Clock:
    """The application's clock: it stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **distance: float) -> None:
        """Go on by e.g. `minutes=11`."""
        self.now += timedelta(**distance)


class ProblemAnswer(AssertionError):
    """A request that a test expected to succeed was refused."""


def body_of(answer: Response, status: int) -> Any:
    """Return the JSON of an answer that must have this status."""
    if answer.status_code != status:
        raise ProblemAnswer(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
    return answer.json()


def refusal(answer: Response) -> tuple[int, str]:
    """Return status and code of an answer that must be a problem document (RFC 9457)."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:tikiwallet:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    return answer.status_code, problem["code"]


def a_session() -> NewSession:
    """Return what the edge makes for a session."""
    return NewSession(session_id=uuid4(), refresh_token=make_refresh_token())


def money(text: str, currency: str = "SGD") -> dict[str, Any]:
    """Return `text` ("12.50") as an amount on the wire; "0.00" too, so that tests can be refused."""
    amount_minor = parse_decimal(text, currency) if text.strip("0.") else 0
    return {"amount_minor": amount_minor, "currency": currency}


class Someone:
    """A person with a wallet, signed in."""

    def __init__(self, http: AsyncClient, session: dict[str, Any]) -> None:
        self.http = http
        self.person_id = UUID(session["person"]["person_id"])
        self.username: str = session["person"]["username"]
        self.phone: str = session["person"]["phone"]
        self.token: str = session["token"]
        self.refresh_token: str = session.get("refresh_token", "")

    def moved_to(self, world: "World") -> "Someone":
        """Return the same person, with the same session, in another world on the same database."""
        moved = copy.copy(self)
        moved.http = world.http
        return moved

    def caller(self) -> Caller:
        """Return who this is to a use case: the person and the session."""
        payload = self.token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return Caller(
            person_id=self.person_id,
            session_id=UUID(claims["sid"]),
            username=self.username,
            phone=self.phone,
            tier="phone",
        )

    async def get(self, path: str, **query: str) -> Response:
        """GET `path` with the session."""
        return await self.http.get(path, params=query, headers=self._headers())

    async def post(self, path: str, body: object = None, *, key: str | None = None) -> Response:
        """POST `body` with the session and an Idempotency-Key (a fresh one unless `key` is given)."""
        headers = {**self._headers(), "idempotency-key": key or str(uuid4())}
        return await self.http.post(path, headers=headers, **as_json(body))

    async def pay(self, payee: "Someone", text: str, *, key: str | None = None, memo: str = "") -> Response:
        """Send somebody an amount ("12.50") in SGD."""
        order = {"to": {"username": payee.username}, "amount": money(text), "memo": memo}
        return await self.post("/v1/transfers", order, key=key)

    async def top_up(self, text: str, *, key: str | None = None) -> Response:
        """Ask the demo bank for an amount ("12.50") in SGD."""
        return await self.post("/v1/top-ups", {"amount": money(text)}, key=key)

    async def balance(self, currency: str = "SGD") -> str:
        """Return what is in the wallet, as "12.50"."""
        balances = body_of(await self.get("/v1/balance"), 200)["balances"]
        found = {balance["currency"]: balance["amount_minor"] for balance in balances}
        return format_decimal(found[currency], currency)

    async def patch(self, path: str, body: object) -> Response:
        """PATCH `path` with the session."""
        return await self.http.patch(path, headers=self._headers(), **as_json(body))

    async def delete(self, path: str) -> Response:
        """DELETE `path` with the session."""
        return await self.http.delete(path, headers=self._headers())

    async def refresh(self, *, key: str = "") -> Response:
        """Exchange the refresh token, without taking the answer: as if it were lost."""
        headers = {"idempotency-key": key or str(uuid4())}
        return await self.http.post("/v1/sessions/refresh", json={"refresh_token": self.refresh_token}, headers=headers)

    def take(self, answer: Response) -> None:
        """Go on with the tokens that an exchange brought."""
        session = body_of(answer, 201)
        self.token, self.refresh_token = session["token"], session["refresh_token"]

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


def as_json(body: object) -> dict[str, Any]:
    """Return the arguments that send `body` (None: no body)."""
    return {} if body is None else {"json": msgspec.to_builtins(body)}


class World:
    """One running wallet."""

    def __init__(self, app: Litestar, http: AsyncClient, clock: Clock, data_dir: Path) -> None:
        self.app = app
        self.http = http
        self.identity: Identity = app.state.identity
        self.clock = clock
        self._sms_file = data_dir / "sms.jsonl"
        self._phones = 0
        self._people: list[Someone] = []

    async def people(self, *usernames: str, **funds: str) -> list[Someone]:
        """Sign people up, each by a text message to a phone of their own; `alice="50.00"` tops her up by the bank."""
        found = [await self.sign_up(username) for username in (*usernames, *funds)]
        for someone, text in zip(found[len(usernames) :], funds.values(), strict=True):
            if money(text)["amount_minor"]:
                body_of(await someone.top_up(text), 201)
        return found

    async def balances(self) -> dict[str, str]:
        """Return what everybody who signed up has, as {"alice": "30.00"}."""
        return {someone.username: await someone.balance() for someone in self._people}

    async def sign_up(self, username: str, *, phone: str = "", password: str = PASSWORD) -> Someone:
        """Sign one person up."""
        phone = phone or self.new_phone()
        order = {"phone": phone, "username": username, "password": password}
        started = body_of(await self.http.post("/v1/registrations", json=order), 202)
        verification = f"/v1/registrations/{started['registration_id']}/verification"
        session = body_of(await self.http.post(verification, json={"code": self.code_sent_to(phone)}), 201)
        self._people.append(Someone(self.http, session))
        return self._people[-1]

    def person(self, username: str) -> Someone:
        """Return somebody who signed up in this world."""
        (found,) = [someone for someone in self._people if someone.username == username]
        return found

    async def sign_in_again(self, someone: Someone) -> Someone:
        """Return the same person with a fresh session."""
        order = {"phone": someone.phone, "password": PASSWORD}
        return Someone(self.http, body_of(await self.http.post("/v1/sessions", json=order), 201))

    async def sign_in_anywhere(self, phone: str, **headers: str) -> Response:
        """Sign in with the password and, on a device that is new to this person, the code from a text message."""
        order = {"phone": phone, "password": PASSWORD}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.http.post("/v1/sessions", json=order, headers=given)
        if answer.status_code == 403 and answer.json()["code"] == "second_proof_required":
            sent = body_of(await self.http.post("/v1/sessions/text-message", json=order, headers=given), 202)
            text = {"request_id": sent["request_id"], "code": self.code_sent_to(phone)}
            answer = await self.http.post(
                "/v1/sessions", json={**order, "proof": {"text_message": text}}, headers=given
            )
        return answer

    def new_phone(self) -> str:
        """Return a phone number that nobody in this world has yet."""
        self._phones += 1
        return f"+659123{self._phones:04d}"

    def texts_to(self, phone: str) -> list[str]:
        """Return the text messages that a phone has received, oldest first."""
        if not self._sms_file.exists():
            return []
        messages: list[Mapping[str, str]] = [json.loads(line) for line in self._sms_file.read_text().splitlines()]
        return [message["text"] for message in messages if message["phone"] == phone]

    def code_sent_to(self, phone: str) -> str:
        """Return the one-time code in the last text message to a phone."""
        found = re.search(r"\b\d{6}\b", self.texts_to(phone)[-1])
        assert found is not None, self.texts_to(phone)
        return found[0]


@contextlib.asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[None]:
    """Start and stop `app` as a server does, in one task (fixtures are set up and torn down in different ones)."""
    to_app: asyncio.Queue[Any] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()
    lifespan = asyncio.create_task(app({"type": "lifespan"}, to_app.get, from_app.put))  # type: ignore[arg-type]
    await to_app.put({"type": "lifespan.startup"})
    answer = await from_app.get()
    assert answer["type"] == "lifespan.startup.complete", answer
    try:
        yield
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        answer = await from_app.get()
        assert answer["type"] == "lifespan.shutdown.complete", answer
        await lifespan


# Routes that no world uses at the moment, by the settings they were made with: making them is most of an opening.
IDLE: dict[Settings, list[Application]] = {}


@contextlib.contextmanager
def routes_for(settings: Settings) -> Iterator[Application]:
    """Routes for as long as the context lasts, with nothing of another world behind them."""
    idle = IDLE.setdefault(msgspec.structs.replace(settings, data_dir=Path()), [])
    routes = idle.pop() if idle else build_routes(settings)
    yield routes
    routes.state = State()
    idle.append(routes)


@contextlib.asynccontextmanager
async def open_world(database_url: str, data_dir: Path, **changes: object) -> AsyncIterator[World]:
    """Start the wallet on `database_url`; `changes` replace settings."""
    clock = Clock()
    settings = settings_for_tests(data_dir, **changes)
    with routes_for(settings) as app:
        put_behind(app, settings, database_url=database_url, clock=clock)
        # Everything in the test's own event loop, so that a test can also call a use case, and requests really overlap.
        transport = ASGITransport(app, raise_app_exceptions=False)
        async with (
            running(app),
            AsyncClient(
                transport=transport, base_url="http://wallet.test", headers={"tikiwallet-device": DEVICE}
            ) as http,
        ):
            yield World(app, http, clock, data_dir)
