"""The operators' commands as they are typed: what is stuck, what it costs, and who spent twice."""

import asyncio
import os
from pathlib import Path

from offline.closes import states
from offline.conftest import OfflineParts, PhoneOf, let_claims_end, run_sql
from offline.phone import double_spend
from processes import OPERATORS, run

PARKED = """
    INSERT INTO funding_jobs.pgqueuer (priority, status, entrypoint, payload)
    VALUES (0, 'failed', 'continue_operation', 'an operation') RETURNING id
"""
STATUS = "SELECT status::text FROM funding_jobs.pgqueuer WHERE id = $1"


async def tikiwallet(database_url: str, data_dir: Path, *words: str, **environ: str) -> tuple[int, str]:
    """Type a command; returns its exit code and what it said."""
    environment = {**os.environ, "DATABASE_URL": database_url, "TIKIWALLET_DATA_DIR": str(data_dir), **environ}
    done = await asyncio.to_thread(run, OPERATORS, *words, environment=environment, is_one=True)
    return done.returncode, done.stdout


async def test_the_operator_sees_what_is_stuck_and_runs_it_again(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, data_dir: Path
) -> None:
    asha = await phone_of("asha", "20.00")
    await asha.load("20.00")
    assert await tikiwallet(database_url, data_dir, "jobs") == (0, "Nothing is stuck.\n")
    (parked,) = await run_sql(database_url, PARKED)
    await let_claims_end(database_url)
    # A close that fails in every process: the plan of an earlier attempt that can't be read.
    (voucher,) = await run_sql(database_url, "SELECT voucher_id FROM offline.voucher")
    await run_sql(
        database_url, "INSERT INTO offline.close_attempt (voucher_id, attempt_no, plan) VALUES ($1, 1, '{}')",
        voucher["voucher_id"],
    )  # fmt: skip
    code, said = await tikiwallet(database_url, data_dir, "close-due")
    assert (code, said.splitlines()[-2:]) == (
        1, ["Vouchers closed: 0.", "Vouchers that can't be closed: 1; `tikiwallet jobs` says why."]
    )  # fmt: skip
    code, said = await tikiwallet(database_url, data_dir, "jobs")
    job, close = said.splitlines()
    assert code == 1
    assert job.startswith(f"funding/{parked['id']}  continue_operation an operation, parked 20")
    assert close.startswith(f"close of voucher {voucher['voucher_id']}, failed 1 times since 20")
    assert "ValidationError" in close
    code, said = await tikiwallet(database_url, data_dir, "jobs", "retry", f"funding/{parked['id']}", "offline/7", "x")
    assert code == 1  # two of them are none
    assert said.count("no parked job has this name") == 2
    assert f"funding/{parked['id']}: runs again" in said
    found = [row["status"] for row in await run_sql(database_url, STATUS, parked["id"])]
    assert found in (["queued"], ["picked"], [])  # a worker may have it, or be done with it
    await run_sql(database_url, "DELETE FROM offline.close_attempt")
    code, said = await tikiwallet(database_url, data_dir, "close-due")
    assert (code, said.splitlines()[-1]) == (0, "Vouchers closed: 1.")
    assert await states(database_url) == ["closed"]


async def test_the_operator_sees_what_promises_cost_and_which_double_spends_are_notices(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, data_dir: Path
) -> None:
    asha, ben, chi = [await phone_of(name, "60.00") for name in ("asha", "ben", "chi")]
    await asha.load("20.00")
    double_spend(asha, ben, chi, 1500)
    for phone in (ben, chi):
        await phone.sync()
    await let_claims_end(database_url)
    await offline_parts.offline.keep_up()
    code, said = await tikiwallet(database_url, data_dir, "exposure")
    assert code == 0
    assert said.startswith(
        "Promised: cover 6000 + guarantees 0 + early release 0 = 6000 minor units; no limit; within it.\n"
        "Paid out so far: guarantees 0, cover 0; owed back by people: 0; balance of the guarantee account: 0.\n"
        "Vouchers: 0 open, 0 due, 0 stuck; payouts waiting: 0 of 0 minor units.\n"
        "Signing keys last until "
    )
    code, said = await tikiwallet(database_url, data_dir, "double-spends")
    assert code == 0
    assert 'asha, phone "asha\'s phone"' in said
    assert "1500 minor units twice (a notice: nobody lost by it)" in said
