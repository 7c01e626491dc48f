"""What a server costs that nobody asks for anything: its memory, and the time until it is ready again."""

import statistics
import subprocess
import sys
import time

from bench.place import Place

STARTS = 3
FRAMEWORK = "import litestar, uvicorn, asyncpg, msgspec, uvloop, httptools"


def measure(place: Place) -> tuple[dict[str, float], list[str]]:
    """Return the figures by key, and what to compare the start with. The database is migrated already."""
    starts, sizes = [], []
    for _ in range(STARTS):
        with place.serving(workers=1) as server:
            starts.append(server.started_in_seconds)
            sizes.append(server.resident_bytes() / 1e6)
    bare = [_import_seconds() for _ in range(STARTS)]
    return (
        {"idle_mb": max(sizes), "warm_start_s": statistics.median(starts)},
        [(f"ready in {statistics.median(starts):.2f} s; an interpreter that only imports the framework takes "
         f"{statistics.median(bare):.2f} s")],
    )  # fmt: skip


def _import_seconds() -> float:
    started_at = time.perf_counter()
    subprocess.run([sys.executable, "-c", FRAMEWORK], check=True)
    return time.perf_counter() - started_at
