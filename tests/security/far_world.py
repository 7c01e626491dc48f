"""The wallet of another process as tests see it: what makes things there also makes them in a server that is fuzzed.

People come by HTTP and text messages like everywhere. Operators are made in the server's own database, as the command
does that makes them; only without a process for each.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from httpx import AsyncClient, Client, Response

from tikiwallet.identity.operator_accounts import OperatorAccounts
from tikiwallet.platform.db import Database
from tikiwallet.stripe_standin.standin import API_KEY
from world import DEVICE, World, body_of


class Now:
    """The time that it is: nobody moves the clock of another process."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)


class FarWorld(World):
    """A wallet behind an address, with its folder and its database beside it."""

    def __init__(self, http: AsyncClient, accounts: OperatorAccounts, data_dir: Path) -> None:
        identity = SimpleNamespace(operator_accounts=accounts)
        app: Any = SimpleNamespace(state=SimpleNamespace(identity=identity))
        clock: Any = Now()
        super().__init__(app, http, clock, data_dir)


class FarStripe:
    """A stand-in for Stripe behind an address."""

    def __init__(self, address: str) -> None:
        self._http = Client(base_url=address, headers={"authorization": f"Bearer {API_KEY}"})

    def control(self, command: str, **said: Any) -> Any:
        """Do what only a test can."""
        return body_of(self._http.post(f"/_control/{command}", json=said), 200)

    def newest_account(self) -> str:
        """The id of the account that was made last."""
        (account,) = body_of(self._http.get("/v1/accounts", params={"limit": 1}), 200)["data"]
        found: str = account["id"]
        return found


async def _is_no_fault(answer: Response) -> None:
    """What is needed to ask may be refused, and never goes wrong."""
    assert answer.status_code < 500, (answer.request.url, answer.status_code, await answer.aread())


@contextlib.asynccontextmanager
async def open_far_world(address: str, data_dir: Path, *, database_url: str) -> AsyncIterator[FarWorld]:
    """Look at the wallet that serves at `address`."""
    identity = Database(database_url, context="identity", size_max=1)
    await identity.open()
    try:
        async with AsyncClient(
            base_url=address, headers={"tikiwallet-device": DEVICE}, timeout=30,
            event_hooks={"response": [_is_no_fault]},
        ) as http:  # fmt: skip
            yield FarWorld(http, OperatorAccounts(identity), data_dir)
    finally:
        await identity.close()
