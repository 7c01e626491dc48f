"""The whole story on the distribution's own PostgreSQL (15 or newer), reached by DATABASE_URL as operators do."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.cli.phones import Phone, pay_offline
from tests.cli.server_of_tests import serve

from tikiwallet.app import CONTEXTS, Parts
from tikiwallet.ledger.reconcile import Reconciliation, reconcile
from tikiwallet.platform.config import Settings
from tikiwallet.platform.http import utc_now
from tikiwallet.platform.migrate import migrate


def minor(listed: list[dict[str, int]]) -> int:
    return sum(item["amount_minor"] for item in listed)


def proven(database_url: str, data_dir: Path) -> Reconciliation:
    async def prove() -> Reconciliation:
        parts = Parts(Settings(data_dir=data_dir), database_url=database_url)
        async with parts.open(now=utc_now()):
            return await reconcile(parts.databases["ledger"])

    return asyncio.run(prove())


def test_people_sign_up_pay_load_and_settle_on_a_server_of_the_distribution(
    debian_postgres: str, data_dir: Path, phone: Callable[[str], Phone]
) -> None:
    assert asyncio.run(migrate(debian_postgres, contexts=CONTEXTS)) > 0
    with serve(debian_postgres, data_dir) as server:
        asha, ben = (server.sign_up(phone(name)) for name in ("asha", "ben"))
        asha.does("topup", "100")
        asha.does("pay", "ben", "12.50", "--yes", "--memo", "lunch")
        asked = ben.does("request", "asha", "2.50")["request_id"]
        asha.does("requests", "pay", asked, "--yes")
        asha.does("load", "20")
        ben.does("sync")
        pay_offline(asha, ben, "8")
        assert ben.does("sync")["recorded"] == 1
        assert asha.does("sync")["known"] == 1
        asha.does("withdraw", "5")
        views = [person.does("balance")["view"] for person in (asha, ben)]
        assert [minor(view["online"]) for view in views] == [6000, 1500]
        assert [minor(view["offline"]) for view in views] == [1200, 0]
        assert minor(views[1]["final"]) + minor(views[1]["provisional"]) == 800
        assert len(asha.does("history")["items"]) == 5
    assert proven(debian_postgres, data_dir).is_right
