"""Ask a running server everything that its description allows, and much that it doesn't: `make fuzz`.

Schemathesis makes requests from /openapi.json, right ones and wrong ones, as somebody who has money and as an operator
with every role, and looks at each answer: never a 5xx, only what the description says (status, type, every field),
nothing without a session, wrong input refused. Money comes by the stand-in for Stripe, whose webhooks are made up and
rightly signed too; the routes about money once more by the demo bank. Afterwards the books have to be right, and each
route has to have said yes: one that only ever refuses is hardly tried. A failure prints its seed and how to send the
request again: `python -m security.fuzz --seed 1 --cases 100` (with src and tests on the path).
"""

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from authenticator import ORIGIN
from browser.server import ROOT, Server, free_port
from tikiwallet.ledger.reconcile import reconcile
from tikiwallet.platform.config import Settings
from tikiwallet.platform.db import Database
from tikiwallet.platform.serving import database
from tikiwallet.stripe_standin.standin import API_KEY

MANY = "1000000000"
# Nobody is slowed down here: how often one may try is tests/identity/test_throttling.py's.
LIMITS = (
    "sign_ins_per_phone_max", "sign_ins_per_address_max", "sign_ups_per_phone_max", "sign_ups_per_address_max",
    "codes_per_address_max", "orders_per_person_max", "texts_per_phone_max", "texts_per_prefix_max",
    "texts_per_country_max", "texts_per_hour_max", "texts_per_day_max",
)  # fmt: skip
# What fits the description may still be refused by a rule of the wallet: not enough money, nobody of that name.
LEFT_OUT_CHECKS = "positive_data_acceptance"
ABOUT_THE_BANK = "^/v1/(top-ups|withdrawals|funding|disputes)"
WEBHOOK = "/v1/webhooks/stripe"
SECRET = "whsec_fuzz"
# Nobody but the provider of text messages is let in, which signs; tests/identity/test_twilio.py is that.
ONLY_REFUSES = {"POST /v1/text-messages/{message_id}/status"}

Statuses = Counter[tuple[str, int]]


class Fuzzed:
    """A server of its own in a folder of its own, and what it answered."""

    def __init__(self, folder: Path, database_url: str, *, stripe: str) -> None:
        self.folder, self.stripe = folder, stripe
        self.database_url = database_url
        bank = {
            "bank": "stripe", "stripe_api_url": stripe, "stripe_api_key": API_KEY, "stripe_webhook_secrets": SECRET,
        } if stripe else {"bank": "demo"}  # fmt: skip
        settings = {**dict.fromkeys(LIMITS, MANY), "origin": ORIGIN, "trusted_proxies": "127.0.0.1", **bank}
        self.server = Server(folder / "data", database_url=database_url, log_level="error", **settings)
        self.statuses: Statuses = Counter()
        self.routes: set[str] = set()
        self.lost: list[str] = []

    def run(self, *arguments: str, paths: str) -> int:
        """Run Schemathesis in the folder, where no settings lie about, on some paths; return its exit code."""
        report = self.folder / "statuses.json"
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{self.server.address}openapi.json",
            "--checks", "all", "--exclude-checks", LEFT_OUT_CHECKS, "--no-color", "--warnings", "off",
            "--generation-database", "none", "--include-path-regex", paths, *arguments,
        ]  # fmt: skip
        told = {
            "FUZZ_ADDRESS": self.server.address, "FUZZ_DATA_DIR": str(self.folder / "data"), "FUZZ_STRIPE": self.stripe,
            "FUZZ_DATABASE_URL": self.database_url, "FUZZ_SECRET": SECRET, "FUZZ_REPORT": str(report),
            "FUZZ_ARGUMENTS": " ".join(arguments),
        }  # fmt: skip
        environment = {
            **os.environ, **told, "SCHEMATHESIS_HOOKS": "security.fuzz_hooks", "PYTHONPATH": os.pathsep.join(sys.path),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis"),  # tables of Unicode take seconds to make
        }  # fmt: skip
        exit_code = subprocess.run(command, cwd=self.folder, check=False, env=environment).returncode
        found = json.loads(report.read_bytes())
        self.statuses = Counter({(route, status): count for route, status, count in found["statuses"]})
        self.routes = {route for route in found["routes"] if re.search(paths, route.split(" ")[1])}
        self.lost = found["lost"]
        return exit_code


async def books_are_right(database_url: str) -> bool:
    """Prove the books, as `tikiwallet reconcile` does."""
    ledger = Database(database_url, context="ledger", size_max=1)
    await ledger.open()
    try:
        return (await reconcile(ledger)).is_right
    finally:
        await ledger.close()


@contextmanager
def stripe_standin(port: int, webhook: str) -> Iterator[Callable[[], None]]:
    """Run the stand-in for Stripe; yields what waits until it is there, so that both servers start at the same time."""
    command = [
        sys.executable, "-m", "tikiwallet", "stripe-standin", "--port", str(port), "--webhook", webhook,
        "--secret", SECRET,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def wait() -> None:
        assert process.stdout is not None
        assert any("is ready" in line for line in process.stdout)

    try:
        yield wait
    finally:
        process.terminate()
        process.communicate(timeout=30)


def fuzz(folder: Path, database_url: str, arguments: Sequence[str], *, at_stripe: bool) -> bool:
    """Return whether every answer was as described, every route said yes to something, and the books are right."""
    stripe = f"http://127.0.0.1:{free_port()}" if at_stripe else ""
    fuzzed = Fuzzed(folder, database_url, stripe=stripe)
    with ExitStack() as stack:
        if at_stripe:
            webhook = f"http://127.0.0.1:{fuzzed.server.port}{WEBHOOK}"
            is_there = stack.enter_context(stripe_standin(int(stripe.rpartition(":")[2]), webhook))
        fuzzed.server.start()
        stack.callback(fuzzed.server.stop)
        if at_stripe:
            is_there()
        exit_code = fuzzed.run(*arguments, paths="." if at_stripe else ABOUT_THE_BANK)
    sys.stdout.write(table(fuzzed.statuses))
    refusing = fuzzed.routes - succeeding(fuzzed.statuses) - ONLY_REFUSES
    sys.stdout.write("".join(f"never said yes: {route}\n" for route in sorted(refusing)))
    sys.stdout.write("".join(f"the session was lost before: {request}\n" for request in fuzzed.lost))
    return not (exit_code or refusing or fuzzed.lost) and asyncio.run(books_are_right(database_url))


def succeeding(statuses: Statuses) -> set[str]:
    """The routes that said yes."""
    return {route for route, status in statuses if 200 <= status < 300}


def table(statuses: Statuses) -> str:
    """Which route answered what, how often."""
    rows: dict[str, list[str]] = defaultdict(list)
    for (route, status), count in sorted(statuses.items()):
        rows[route].append(f"{status}: {count}")
    width = max(map(len, rows))
    return "".join(f"{route:{width}}  {', '.join(row)}\n" for route, row in rows.items())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    parser.add_argument("--bank", choices=["stripe", "demo"], action="append", default=[])
    chosen = parser.parse_args()
    sys.stdout.write(f"seed {chosen.seed}: {chosen.cases} cases an operation\n")
    sys.stdout.flush()
    arguments = ("--seed", str(chosen.seed), "--max-examples", str(chosen.cases), "--phases", chosen.phases)
    is_right = True
    for bank in chosen.bank or ["stripe", "demo"]:
        with tempfile.TemporaryDirectory() as folder, database(Settings(data_dir=Path(folder) / "data")) as url:
            is_right &= fuzz(Path(folder), url, arguments, at_stripe=bank == "stripe")
    sys.exit(not is_right)


if __name__ == "__main__":
    main()
