"""The composition root: builds every part once and hands each what it needs. Nothing else knows all of them."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from datetime import datetime
from importlib import metadata

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from tikiwallet.console import http as console_http
from tikiwallet.console import http_money as console_http_money
from tikiwallet.console import http_pages as console_http_pages
from tikiwallet.console import http_sign_in as console_http_sign_in
from tikiwallet.console.service import Console
from tikiwallet.console.stuck import Stuck
from tikiwallet.funding import http as funding_http
from tikiwallet.funding.service import Funding
from tikiwallet.funding.stripe import http as stripe_http
from tikiwallet.funding.underway import OperationsUnderway
from tikiwallet.identity import http as identity_http
from tikiwallet.identity import http_proofs, http_recovery, http_sessions, http_sign_in, http_texts
from tikiwallet.identity.service import Identity
from tikiwallet.identity.types import Obstacle, PersonId
from tikiwallet.ledger.corrections import Corrections
from tikiwallet.ledger.service import PostgresLedger
from tikiwallet.ledger.totals import owed_to_people, totals
from tikiwallet.ledger.types import Ledger
from tikiwallet.offline import http as offline_http
from tikiwallet.offline.gauges import ABOUT, gauges
from tikiwallet.offline.service import Offline
from tikiwallet.offline.waiting import OfflineWaiting
from tikiwallet.payments import http as payments_http
from tikiwallet.payments.service import Payments
from tikiwallet.payments.tiers import read_tiers
from tikiwallet.payments.underway import PaymentsUnderway
from tikiwallet.platform import http, openapi, problems
from tikiwallet.platform.browsers import answer_headers
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.errors import Refused
from tikiwallet.platform.http import route
from tikiwallet.platform.jobs import Jobs, Parked
from tikiwallet.platform.metrics import metrics_port
from tikiwallet.platform.money import Balance
from tikiwallet.platform.thin import Application
from tikiwallet.web import http as web_http

CONTEXTS = ("ledger", "identity", "payments", "offline", "funding")
JOB_CONTEXTS = ("payments", "funding", "offline")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process can serve."""

    status: str


class Parts:
    """Every part of the wallet, built once and handed what it needs. A context reaches another only through here."""

    def __init__(self, settings: Settings, *, database_url: str) -> None:
        self.databases = {
            context: Database(database_url, context=context, size_max=settings.pool_size_max) for context in CONTEXTS
        }
        self.settings = settings
        self.ledger: Ledger = PostgresLedger(self.databases["ledger"])
        self.identity = Identity(
            self.databases["identity"],
            settings,
            prepare_wallet=self.prepare_wallet,
            find_obstacles=self.find_obstacles,
            close_accounts=self.close_accounts,
            export_parts=self.export_parts,
        )
        self.throttle = self.identity.throttle
        self.payments = Payments(
            self.databases["payments"],
            ledger=self.ledger,
            directory=self.identity.people,
            currencies=settings.currencies,
            tiers=read_tiers(
                settings.tier_limits,
                currencies=settings.currencies,
                balance_max_minor=settings.wallet_balance_max_minor,
            ),
            phone_owner=self.phone_owner,
            step_up=self.identity.step_up,
            outgoing=self.identity.outgoing,
            new_payee_limits=settings.new_payee_limits,
        )
        self.funding = Funding(
            self.databases["funding"], settings, ledger=self.ledger, prepare_wallet=self.payments.wallets.prepare,
            step_up=self.identity.step_up, outgoing=self.identity.outgoing, owed=self.owed_to_people,
            address_key=self.throttle.key,
        )  # fmt: skip
        self.offline = Offline(self.databases["offline"], settings, ledger=self.ledger, directory=self.identity.people)
        self.console = self._make_console()

    def _make_console(self) -> Console:
        databases = self.databases
        stuck = Stuck(
            directory=self.identity.people,
            operations=OperationsUnderway(databases["funding"]),
            payments=PaymentsUnderway(databases["payments"]),
            offline=OfflineWaiting(databases["offline"], currency=self.offline.policy.currency),
            parked_jobs=self.parked_jobs,
        )
        return Console(
            identity=self.identity, payments=self.payments, funding=self.funding, offline=self.offline,
            ledger=self.ledger, corrections=Corrections(databases["ledger"]), stuck=stuck,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def open(self, *, now: datetime) -> AsyncIterator[None]:
        """Connect every part to the database for as long as the context lasts. Raises what connecting raises."""
        async with contextlib.AsyncExitStack() as stack:
            for database in self.databases.values():
                stack.push_async_callback(database.close)
                await database.open()
            stack.push_async_callback(self.throttle.close)
            await self.identity.start(now=now)
            await self.funding.start()
            await self.offline.start(now=now)
            yield

    async def can_serve(self) -> bool:
        """Return whether every context's database answers."""
        return all(await asyncio.gather(*(database.answers() for database in self.databases.values())))

    async def prepare_wallet(self, person_id: PersonId) -> None:
        """Open the accounts that a person needs before they exist. Repeatable."""
        await self.payments.wallets.prepare(person_id)

    async def parked_jobs(self) -> list[tuple[str, Parked]]:
        """Return every job that was given up, with its context."""
        return [
            (context, job)
            for context in JOB_CONTEXTS
            for job in await Jobs(context).parked(self.databases[context].driver_pool)
        ]

    async def owed_to_people(self) -> list[Balance]:
        """Return what people are owed in each currency, by the books of one instant."""
        return owed_to_people(await totals(self.databases["ledger"]))

    async def find_obstacles(self, person_id: PersonId, now: datetime) -> list[Obstacle]:
        """Return what is in the way of closing a person's wallet, in every context."""
        return [
            *await self.payments.obstacles(person_id),
            *await self.funding.held.obstacles(person_id),
            *await self.offline.obstacles(person_id, now=now),
        ]

    async def close_accounts(self, person_id: PersonId) -> bool:
        """Close the accounts of somebody who leaves; False if there is money in one. Repeatable."""
        return await self.payments.wallets.close(person_id)

    async def export_parts(self, person_id: PersonId, now: datetime) -> dict[str, object]:
        """Return what each context holds of a person, for the person."""
        return {
            "payments": await self.payments.export(person_id, now=now),
            "funding": await self.funding.held.export(person_id),
            "offline": await self.offline.export(person_id, now=now),
        }

    async def phone_owner(self, key_id: bytes) -> PersonId | None:
        """Return whose phone has the key with this id; None if nobody's has, or the key is retired."""
        return await self.offline.devices.owner(key_id)

    @contextlib.asynccontextmanager
    async def at_work(self, clock: http.Clock) -> AsyncIterator[None]:
        """Run the job workers of this process for as long as the context lasts, if the settings say so."""
        async with contextlib.AsyncExitStack() as stack:
            if self.settings.jobs:
                await stack.enter_async_context(self.identity.forgetting.worker(clock))
                await stack.enter_async_context(self.payments.worker(clock))
                await stack.enter_async_context(self.funding.worker(clock))
                await stack.enter_async_context(self.offline.worker(clock))
            yield

    @contextlib.asynccontextmanager
    async def measured(self, clock: http.Clock) -> AsyncIterator[None]:
        """Show the operator's figures for as long as the context lasts, if the settings say where."""

        async def read() -> dict[str, int]:
            now = clock()
            return gauges(await self.offline.figures(now=now), now=now)

        async with metrics_port(self.settings, read, about=ABOUT):
            yield


CONTEXT_ROUTES = (
    identity_http, http_proofs, http_recovery, http_sessions, http_sign_in, http_texts, payments_http, funding_http,
    stripe_http, offline_http, console_http, console_http_money, console_http_pages, console_http_sign_in,
)  # fmt: skip


def build_routes(settings: Settings) -> Application:
    """Return the ASGI application with every route and nothing behind it yet (`put_behind`)."""
    return Application(
        [
            healthz,
            readyz,
            openapi_json,
            *web_http.routes(settings),
            *(handler for context in CONTEXT_ROUTES for handler in context.routes()),
        ],
        answer_headers=answer_headers(settings),
        lifespan=[_lifespan],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=http.BODY_BYTES_MAX,
        exception_handlers={
            Refused: problems.on_refused,
            HTTPException: problems.on_http_exception,
            Exception: problems.on_bug,
        },
    )


def put_behind(
    application: Application, settings: Settings, *, database_url: str, clock: http.Clock = http.utc_now
) -> None:
    """Put a wallet on a migrated database behind routes that nothing is behind, or no longer: its lifespan is over.

    `database_url` is the owner's; every context connects under its own role. Nothing runs until the ASGI lifespan.
    `clock` tells every handler the time. Raises `ConfigError`.
    """
    parts = Parts(settings, database_url=database_url)

    async def authenticate(token: str, meanwhile: http.Meanwhile) -> http.Caller:
        return await parts.identity.sessions.authenticate(token, now=clock(), meanwhile=meanwhile)

    application.state = State(
        {
            "settings": settings,
            "clock": clock,
            "authenticate": authenticate,
            "throttle": parts.throttle,
            "identity": parts.identity,
            "payments": parts.payments,
            "funding": parts.funding,
            "offline": parts.offline,
            "outgoing": parts.identity.outgoing,
            "console": parts.console,
            "can_serve": parts.can_serve,
            "parts": parts,
        }
    )


@contextlib.asynccontextmanager
async def _lifespan(application: Litestar) -> AsyncIterator[None]:
    parts: Parts = application.state.parts
    clock: http.Clock = application.state.clock
    async with parts.open(now=clock()), parts.at_work(clock), parts.measured(clock):
        yield


@route("GET", "/healthz", summary="Is this process alive?", tag="operations", answer=Health, signed_in=False)
async def healthz() -> Response[bytes]:
    """Answer while the process runs; a load balancer restarts what doesn't."""
    return http.respond(Health(status="ok"))


@route(
    "GET", "/readyz", summary="Can this process serve now?", tag="operations", answer=Health, signed_in=False,
    refusals=(http.Overloaded,),
)  # fmt: skip
async def readyz(state: State) -> Response[bytes]:
    """Answer 200 when the database answers too, else 503; a load balancer sends nobody here until then."""
    if not await state.can_serve():
        raise http.Overloaded(retry_after_seconds=1)
    return http.respond(Health(status="ok"))


@get("/openapi.json", include_in_schema=False)
async def openapi_json(request: Request) -> Response[bytes]:  # type: ignore[type-arg]
    """Serve the description of the API."""
    return Response(_description(request.app), media_type="application/json")


@functools.lru_cache(maxsize=1)
def _description(application: Litestar) -> bytes:
    """Return the description of the API, made when it is first asked for: a start doesn't wait for it."""
    return msgspec.json.encode(openapi.describe(application, version=metadata.version("tikiwallet")))
