"""How far does one caller with batches get beyond what single transfers can reach on this machine?

The limit is pgbench with eight clients on the faster of two functions that post one transfer a call: ours, and the
leanest one that somebody wrote without our rules (two SQL files, whose folder is the argument). Both stand in one
database and take turns with the batches, so that a slow minute of the machine meets all of them.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from bench.books import Bookkeeper, Books, bench_server, bookkeeper, copied, per_operation
from tikiwallet.platform.embedded_postgres import find_binaries

BOOKS = Books(account_count=50_000, rounds=1)
BATCH_SIZES = (1, 10, 50, 100, 1000)
BATCH_SIZE = 1000
ROUNDS = 4
SECONDS_PER_TURN = 4
CLIENTS = 8
# pgbench makes the ids, because the caller of the limit has to make them too.
POST_ONE = f"""
\\set debit random(0, {BOOKS.account_count // 2 - 1})
\\set credit random({BOOKS.account_count // 2}, {BOOKS.account_count - 1})
SELECT ledger.post_one(gen_random_uuid(), md5('wallet/' || :debit)::uuid, md5('wallet/' || :credit)::uuid, 1, 'SGD',
    'payment', 'lunch');
"""
POST_LEAN = """
\\set debit random(1, 50000)
\\set credit random(50001, 100000)
SELECT reference.post_lean(gen_random_uuid()::text, :debit, :credit, 1, 0::smallint);
"""


async def measure(reference: Path, *, rounds: int = ROUNDS, seconds: float = SECONDS_PER_TURN) -> dict[str, float]:
    """Return `post_many_over_limit` and the rates and costs behind it. `reference` holds schema.sql, functions.sql."""
    rates: dict[str, list[float]] = {"post_many": [], "post_one": [], "post_lean": []}
    with bench_server() as server:
        async with copied(server, BOOKS) as url, bookkeeper(url, BOOKS) as caller:
            await _load_reference(url, reference)
            figures = await _cpu_by_batch_size(caller)
            for _ in range(rounds):
                rates["post_many"].append(await _post_many_rate(caller, seconds))
                for name, script in (("post_one", POST_ONE), ("post_lean", POST_LEAN)):
                    rates[name].append(await asyncio.to_thread(_pgbench_rate, url, script, seconds))
    limits = list(map(max, rates["post_one"], rates["post_lean"]))
    ratios = [rate / limit for rate, limit in zip(rates["post_many"], limits, strict=True)]
    figures["post_many_over_limit"] = statistics.median(ratios)
    return figures | {f"{name}_per_second": statistics.median(each) for name, each in rates.items()}


async def _load_reference(url: str, folder: Path) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE SCHEMA reference; SET search_path = reference")
        schema = (folder / "schema.sql").read_text().replace("VACUUM ANALYZE accounts;", "")  # not in a transaction
        await connection.execute(schema + (folder / "functions.sql").read_text())
        await connection.execute("ANALYZE")
        database = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {database} SET search_path = reference, public")
    finally:
        await connection.close()


async def _cpu_by_batch_size(caller: Bookkeeper) -> dict[str, float]:
    """Microseconds of CPU a transfer, in the database's backend and in this process."""
    figures = {}
    for size in BATCH_SIZES:
        batches = [caller.transfers(size) for _ in range(max(6, 2000 // size))]
        await caller.post(batches.pop())
        before = caller.now()
        for batch in batches:
            await caller.post(batch)
        cost = per_operation(before, caller.now(), size * len(batches))
        figures[f"batch_{size}_database_cpu_us"] = 1e6 * cost.database_cpu
        figures[f"batch_{size}_server_cpu_us"] = 1e6 * cost.server_cpu
    return figures


async def _post_many_rate(caller: Bookkeeper, seconds: float) -> float:
    """Transfers a second. Making up the transfers isn't counted."""
    spent = 0.0
    count = 0
    while spent < seconds:
        transfers = caller.transfers(BATCH_SIZE)
        started = time.perf_counter()
        await caller.post(transfers)
        spent += time.perf_counter() - started
        count += BATCH_SIZE
    return count / spent


def _pgbench_rate(url: str, script: str, seconds: float) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        command = [str(find_binaries() / "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2"]
        answer = subprocess.run(
            [*command, "-T", str(round(seconds)), "-f", file.name, url], check=True, capture_output=True, text=True
        )
    line = next(line for line in answer.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])


def main() -> None:
    for key, value in asyncio.run(measure(Path(sys.argv[1]))).items():
        print(f"{key:30} {value:10.2f}")


if __name__ == "__main__":
    main()
