"""A close that fails keeps nobody's money but that of the people on it, says so, and is tried again by itself."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from crashes import make_jobs_due
from offline.closes import assert_books_are_right, online_of, states
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, run_sql
from tikiwallet.offline.closing import FAILURES_MAX
from tikiwallet.offline.documents import read_touched

QUEUED = "SELECT payload FROM offline_jobs.pgqueuer WHERE entrypoint = 'watch' AND status = 'queued'"


@pytest.fixture
def break_closes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the close of some vouchers (none named: of all) meet a bug of ours; `broken()` with an empty set mends it."""

    def break_them(*voucher_ids: UUID) -> None:
        async def reading(connection: object, ids: list[UUID]) -> object:
            if not voucher_ids or ids[0] in voucher_ids:
                raise ZeroDivisionError("a bug of ours")
            return await read_touched(connection, ids)  # type: ignore[arg-type]

        monkeypatch.setattr("tikiwallet.offline.closing.read_touched", reading)

    return break_them


async def test_a_close_that_fails_holds_up_only_those_who_take_part_in_it(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, break_closes: Callable[..., None]
) -> None:
    asha, ben, chi, dan, eli = [await phone_of(name, "50.00") for name in ("asha", "ben", "chi", "dan", "eli")]
    loaded = [UUID((await phone.load("20.00"))["loading_id"]) for phone in (asha, chi, ben, dan)]
    ben.paid_by(asha, 500)  # the voucher of asha fails, and ben takes part in it
    eli.paid_by(ben, 2000)  # his own voucher waits, in which eli takes part
    eli.paid_by(dan, 700)  # so that the voucher of dan waits for eli
    for phone in (ben, eli):
        await phone.sync()
    for number, voucher_id in enumerate(loaded):
        await let_claims_end(database_url, voucher_id, at=f"2026-01-0{number + 1} 12:00+00")
    # The payments came after these dates; for this test they are in time.
    await run_sql(database_url, "UPDATE offline.payment SET recorded_at = '2026-01-01 00:00+00'")
    broken = loaded[0]
    break_closes(broken)
    with capture_logs() as logs:
        assert await offline_parts.offline.closes.close_due() == 1
    assert [log["voucher_id"] for log in logs if log["log_level"] == "error"] == [str(broken)]
    found = {
        row["voucher_id"]: row["state"] for row in await run_sql(database_url, "SELECT * FROM offline.voucher")
    }  # fmt: skip
    assert [found[voucher_id] for voucher_id in loaded] == ["closing", "closed", "open", "open"]
    await offline_parts.offline.payouts.post_waiting()
    assert await online_of(chi) == (5000,)
    await offline_parts.offline.closes.close_due()
    (stuck,) = await offline_parts.offline.closes.stuck()
    assert (stuck.voucher_id, stuck.failure_count) == (broken, 2)
    assert stuck.error == "ZeroDivisionError: a bug of ours"
    break_closes(UUID(int=0))
    assert await offline_parts.offline.keep_up() == 3
    assert await states(database_url) == ["closed"] * 4
    assert await offline_parts.offline.closes.stuck() == []
    assert await online_of(asha, ben, chi, dan, eli) == (4500, 3500, 5000, 4300, 7700)
    await assert_books_are_right(database_url)


async def test_a_fault_of_everything_is_no_matter_of_single_vouchers(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, break_closes: Callable[..., None]
) -> None:
    for number in range(2):
        for phone in [await phone_of(f"person{number}{at}", "20.00") for at in range((FAILURES_MAX + 1) // 2 + 1)]:
            await phone.load("1.00")
    await let_claims_end(database_url)
    break_closes()
    with pytest.raises(ZeroDivisionError):
        await offline_parts.offline.closes.close_due()
    assert len(await offline_parts.offline.closes.stuck()) == FAILURES_MAX - 1
    break_closes(UUID(int=0))
    assert await offline_parts.offline.closes.close_due() == 2 * ((FAILURES_MAX + 1) // 2 + 1)
    await assert_books_are_right(database_url)


async def test_what_fails_in_a_watch_holds_up_nothing_else_and_the_next_watch_comes(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha = await phone_of("asha", "50.00")
    await asha.load("20.00")
    await let_claims_end(database_url)
    app = asha.world.app.state.offline

    async def fails() -> int:
        raise ZeroDivisionError

    for part in (app, offline_parts.offline):
        monkeypatch.setattr(part.payouts, "post_waiting", fails)
    with pytest.RaisesGroup(ZeroDivisionError):
        await offline_parts.offline.keep_up()
    assert await states(database_url) == ["closed"]
    (measured,) = await run_sql(database_url, "SELECT total_minor FROM offline.exposure")
    assert measured["total_minor"] == 2000  # measured after the close: the cover budget only
    await offline_parts.offline.watch_again(offline_parts.now)
    (watch,) = await run_sql(database_url, QUEUED)
    await make_jobs_due(database_url, "offline")
    async with asyncio.timeout(30):
        while not (next_watch := await run_sql(database_url, QUEUED)) or next_watch == [watch]:
            pass
    assert int(next_watch[0]["payload"]) == int(watch["payload"]) + 1
