"""The offline context as one object: built once by `app.py`, started with the database, asked by `http.py`."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import structlog

from tikiwallet.identity.types import Directory, Obstacle, ObstacleKind, Person, PersonId
from tikiwallet.ledger.types import Ledger, TransferId
from tikiwallet.offline.at_hand import AtHand, person_has, read_at_hand
from tikiwallet.offline.claims import Claims
from tikiwallet.offline.closing import Closes
from tikiwallet.offline.debts import Debts
from tikiwallet.offline.devices import Devices, Registration
from tikiwallet.offline.double_spends import Found, found_double_spends
from tikiwallet.offline.exposure import Exposures
from tikiwallet.offline.figures import Figures, read_figures
from tikiwallet.offline.issuer import ENDS_SOON_SECONDS, Issuer
from tikiwallet.offline.key_folder import open_key_folder
from tikiwallet.offline.money import Money
from tikiwallet.offline.payouts import Payouts
from tikiwallet.offline.policy import read_policy
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.release import POST_ADVANCE, Releases
from tikiwallet.offline.sync import Sync
from tikiwallet.offline.types import DeviceId, Registered, VoucherId
from tikiwallet.offline.vouchers import OPEN_VOUCHER, Vouchers
from tikiwallet.offline.wire import device_answer, money_answer
from tikiwallet.platform.config import ConfigError, Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.jobs import Handler, Jobs

WATCH = "watch"  # the job that runs again and again
WATCH_SECONDS = 60

T = TypeVar("T")
log = structlog.get_logger()


def keys_folder(settings: Settings) -> Path:
    """Return where the operator's key files are."""
    return Path(settings.offline_keys_dir) if settings.offline_keys_dir else settings.data_dir / "keys"


class Offline:
    """Every part of the server's side of offline money."""

    def __init__(self, db: Database, settings: Settings, *, ledger: Ledger, directory: Directory) -> None:
        self._db = db
        self._settings = settings
        self._ledger = ledger
        self._directory = directory
        self._jobs = Jobs("offline")
        self._key_end_told_at: datetime | None = None
        self.policy = read_policy(settings.offline_policy, currency=settings.currencies[0])

    async def start(self, *, now: datetime) -> None:
        """Open the keys (made on the first start) and build the parts. Called once the database is open.

        Raises `ConfigError` if the keys are of another network than the one this database was started with.
        """
        folder = keys_folder(self._settings)
        self.issuer = Issuer(open_key_folder(folder, now=now))
        await self._db.pool.execute(SQL["insert_network"], self.issuer.net, self.issuer.root_key)
        network = await self._db.pool.fetchrow(SQL["network"])
        if network["root_key"] != self.issuer.root_key:
            raise ConfigError(f"The offline keys in {folder} are of another network than the database: restore them.")
        db, ledger, issuer, policy = self._db, self._ledger, self.issuer, self.policy
        self._tell_key_end(now)
        self.devices = Devices(db, issuer=issuer, policy=policy)
        self.debts = Debts(db, ledger=ledger, policy=policy)
        self.exposures = Exposures(db, policy=policy)
        self.payouts = Payouts(db, ledger=ledger, policy=policy)
        self.vouchers = Vouchers(
            db, ledger=ledger, issuer=issuer, policy=policy, jobs=self._jobs, debts=self.debts
        )  # fmt: skip
        self.claims = Claims(db, issuer=issuer)
        self.releases = Releases(
            db, ledger=ledger, directory=self._directory, issuer=issuer, policy=policy, jobs=self._jobs
        )
        self.closes = Closes(db, ledger=ledger, directory=self._directory, issuer=issuer, policy=policy)
        self.money = Money(
            db, ledger=ledger, directory=self._directory, issuer=issuer, policy=policy,
            currencies=self._settings.currencies,
        )  # fmt: skip
        self.syncs = Sync(
            db, claims=self.claims, releases=self.releases, vouchers=self.vouchers, money=self.money, issuer=issuer,
            policy=policy, settle_up=self.settle_up,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def worker(self, clock: Callable[[], datetime]) -> AsyncIterator[None]:
        """Keep the promises of offline money for as long as the context lasts; each handler is repeatable."""

        async def open_voucher(key: bytes) -> None:
            await self.vouchers.open(VoucherId(UUID(key.decode())), now=clock())

        async def post_advance(key: bytes) -> None:
            await self.releases.post(TransferId(UUID(key.decode())))

        async def watch(key: bytes) -> None:
            # The next watch is the repetition: a failed one that parked would leave nobody watching.
            try:
                await self.keep_up()
            except ExceptionGroup as failed:
                log.error("watch failed", exc_info=failed)  # noqa: TRY400 -- the same, and structlog likes the error
            self._tell_key_end(clock())
            await self.watch_again(clock(), after=int(key))

        handlers: dict[str, Handler] = {OPEN_VOUCHER: open_voucher, POST_ADVANCE: post_advance, WATCH: watch}
        await self.watch_again(clock())
        async with self._jobs.worker(self._db.driver_pool, handlers):
            yield

    def _tell_key_end(self, now: datetime) -> None:
        """Say once a day that a new signing key has to be made: it needs weeks until every phone knows it."""
        if self._key_end_told_at is not None and now - self._key_end_told_at < timedelta(days=1):
            return
        self._key_end_told_at = now
        ends_at = self.issuer.ends_at(now)
        if not self.issuer.can_issue(now):
            log.error("no signing key is in force, so that nothing can be loaded", ends_at=ends_at.isoformat())
        elif ends_at - now < timedelta(seconds=ENDS_SOON_SECONDS):
            log.warning("the signing key ends soon: rotate it", ends_at=ends_at.isoformat())

    async def keep_up(self) -> int:
        """Do what time made due: close vouchers, and try what waits. Returns how many were closed. Repeatable.

        One thing that fails holds up none of the others; raises an `ExceptionGroup` of what failed, at the end.
        """
        failures = list[Exception]()

        async def attempt(due: Callable[[], Awaitable[T]]) -> T | None:
            try:
                return await due()
            except Exception as error:  # a loop that must survive (STYLE.md, section 4)
                failures.append(error)
                return None

        closed = await attempt(self.closes.close_due)
        await attempt(self.payouts.post_waiting)
        await attempt(self.debts.collect_all)
        await attempt(self.exposures.measure)
        if failures or closed is None:
            raise ExceptionGroup("what time made due can't all be done", failures)
        return closed

    async def figures(self, *, now: datetime) -> Figures:
        """Return what the operator looks at."""
        return await read_figures(
            self._db, exposures=self.exposures, ledger=self._ledger, issuer=self.issuer, policy=self.policy, now=now
        )

    async def register(
        self, order: Registration, person: Person, *, device_id: DeviceId, name_salt: bytes, now: datetime
    ) -> Registered:
        """Register a phone (`Devices.register`), and pay what waited for its key since a close."""
        registered = await self.devices.register(order, person, device_id=device_id, name_salt=name_salt, now=now)
        await self.payouts.post_waiting_for(person.person_id)
        return registered

    async def obstacles(self, person_id: PersonId, *, now: datetime) -> list[Obstacle]:
        """Return what is in the way of closing this person's wallet: what isn't decided yet, and what is owed."""
        found = [
            Obstacle(
                kind=ObstacleKind.DEBT if line.line == "debt" else ObstacleKind.OFFLINE_MONEY,
                amount=line.amount,
                until=line.claim_by,
            )
            for line in (await self.money.view(person_id, now=now)).lines
            if line.line != "closed"
        ]
        if (await person_has(self._db.pool, person_id)).payouts_waiting:
            found.append(Obstacle(kind=ObstacleKind.OFFLINE_MONEY))
        return found

    async def export(self, person_id: PersonId, *, now: datetime) -> dict[str, object]:
        """Return what this context holds of a person: phones, and the money on them and on its way."""
        return {
            "devices": [device_answer(item) for item in await self.devices.of_person(person_id)],
            "money": money_answer(await self.money.view(person_id, now=now)),
        }

    async def settle_up(self, person_id: PersonId, device_id: DeviceId | None = None) -> AtHand:
        """Pay one person what waits for them, and collect what they owe. Repeatable.

        Returns what there is then of them, and of the phone that asks.
        """
        found = await read_at_hand(self._db.pool, person_id, device_id)
        if not found.has.payouts_waiting and not found.has.debt:
            return found
        if found.has.payouts_waiting:
            await self.payouts.post_waiting_for(person_id)
        if found.has.debt:
            await self.debts.collect(person_id)
        return await read_at_hand(self._db.pool, person_id, device_id)

    async def watch_again(self, now: datetime, *, after: int = 0) -> None:
        """Promise the next watch. Its key is the minute it is for, so that of several processes one keeps each.

        `after` is the minute of the watch that is at work: while it is, the same one can't be promised again, and a
        clock that is a little behind the database's would ask for just that.
        """
        minute = max(int(now.timestamp()) // WATCH_SECONDS, after) + 1
        async with self._db.transaction() as tx:
            after_seconds = minute * WATCH_SECONDS - int(now.timestamp())
            await self._jobs.enqueue(tx, WATCH, key=str(minute), after_seconds=after_seconds)

    async def double_spends(self) -> list[Found]:
        """Return every double spend found so far, oldest first."""
        return await found_double_spends(self._db, issuer=self.issuer)
