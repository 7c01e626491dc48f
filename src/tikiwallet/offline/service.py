"""The offline context as one object: built once by `app.py`, started with the database, asked by `http.py`."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID

from tikiwallet.identity.types import Directory, Person, PersonId
from tikiwallet.ledger.types import Ledger, TransferId
from tikiwallet.offline.claims import Claims
from tikiwallet.offline.devices import Devices
from tikiwallet.offline.double_spends import Found, found_double_spends
from tikiwallet.offline.issuer import Issuer, open_key_folder
from tikiwallet.offline.money import Money
from tikiwallet.offline.policy import read_policy
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.release import POST_ADVANCE, Releases
from tikiwallet.offline.sync import Sync
from tikiwallet.offline.types import VoucherId
from tikiwallet.offline.vouchers import OPEN_VOUCHER, Vouchers
from tikiwallet.platform.config import ConfigError, Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.jobs import Handler, Jobs


class Offline:
    """Every part of the server's side of offline money."""

    def __init__(self, db: Database, settings: Settings, *, ledger: Ledger, directory: Directory) -> None:
        self._db = db
        self._settings = settings
        self._ledger = ledger
        self._directory = directory
        self._jobs = Jobs("offline")
        self.policy = read_policy(settings.offline_policy, currency=settings.currencies[0])

    async def start(self, *, now: datetime) -> None:
        """Open the keys (made on the first start) and build the parts. Called once the database is open.

        Raises `ConfigError` if the keys are of another network than the one this database was started with.
        """
        folder = self._settings.offline_keys_dir or str(self._settings.data_dir / "keys")
        self.issuer = Issuer(open_key_folder(Path(folder), now=now))
        await self._db.pool.execute(SQL["insert_network"], self.issuer.net, self.issuer.root_key)
        network = await self._db.pool.fetchrow(SQL["network"])
        if network["root_key"] != self.issuer.root_key:
            raise ConfigError(f"The offline keys in {folder} are of another network than the database: restore them.")
        db, ledger, issuer, policy = self._db, self._ledger, self.issuer, self.policy
        self.devices = Devices(db, issuer=issuer, policy=policy)
        self.vouchers = Vouchers(db, ledger=ledger, issuer=issuer, policy=policy, jobs=self._jobs)
        self.claims = Claims(db, issuer=issuer)
        self.releases = Releases(
            db, ledger=ledger, directory=self._directory, issuer=issuer, policy=policy, jobs=self._jobs
        )
        self.money = Money(
            db, ledger=ledger, directory=self._directory, issuer=issuer, policy=policy,
            currencies=self._settings.currencies,
        )  # fmt: skip
        self.syncs = Sync(
            db, claims=self.claims, releases=self.releases, vouchers=self.vouchers, money=self.money, issuer=issuer,
            policy=policy,
        )  # fmt: skip

    @contextlib.asynccontextmanager
    async def worker(self, clock: Callable[[], datetime]) -> AsyncIterator[None]:
        """Keep the promises of offline money for as long as the context lasts; each handler is repeatable."""

        async def open_voucher(key: bytes) -> None:
            await self.vouchers.open(VoucherId(UUID(key.decode())), now=clock())

        async def post_advance(key: bytes) -> None:
            await self.releases.post(TransferId(UUID(key.decode())))

        handlers: dict[str, Handler] = {OPEN_VOUCHER: open_voucher, POST_ADVANCE: post_advance}
        async with self._jobs.worker(self._db.pool, handlers):
            yield

    async def double_spends(self) -> list[Found]:
        """Return every double spend found so far, oldest first."""
        return await found_double_spends(self._db, issuer=self.issuer)

    async def person(self, person_id: UUID) -> Person:
        """Return the person who is asking: a session proves that they exist."""
        person = await self._directory.person(PersonId(person_id))
        assert person is not None, person_id
        return person
