"""Phones of a story: each is a wallet folder of its own, used through the real command `tiki`."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from click.testing import CliRunner, Result
from tests.cli.operator_of_tests import Operator

from tikiwallet.cli.main import tiki
from tikiwallet.cli.run import Outside, Run
from tikiwallet.cli.wallet_folder import Edge, Wallet, open_wallet


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: int

    def __call__(self) -> int:
        return self.now


@dataclass
class Phone:
    """One wallet folder and one state folder, and everything `tiki` does with them."""

    name: str
    home: Path
    clock: Clock
    operator: Operator
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = Random(self.name)

    @property
    def folder(self) -> Path:
        return self.home / "wallet"

    @property
    def state_dir(self) -> Path:
        return self.home / "state"

    @contextlib.contextmanager
    def wallet(self, *, create: bool = False) -> Iterator[Wallet]:
        """Open the wallet as a command does."""
        edge = Edge(
            state_dir=self.state_dir, passphrase=lambda _: self.env.get("TIKI_PASSPHRASE", ""), now=self.clock,
            random_bytes=self.random.randbytes, wait_seconds=0,
        )  # fmt: skip
        with open_wallet(self.folder, edge, create=create) as wallet:
            yield wallet

    def install(self, *, loaded: int = 0, certified: bool = True, **terms: object) -> "Phone":
        """Make the wallet and give it what a first sync brings; amounts in minor units."""
        with self.wallet(create=True) as wallet:
            self.operator.introduce(wallet, username=self.name)
            if certified:
                self.operator.certify(wallet)
            if loaded:
                self.operator.load(wallet, loaded, **terms)
        return self

    def run(self, *args: str, stdin: str | bytes = "") -> Result:
        """Run `tiki` with these arguments."""
        outside = Outside(
            now=self.clock, random_bytes=self.random.randbytes, state_dir=lambda: self.state_dir, wait_seconds=0
        )
        env = {"TIKI_WALLET": str(self.folder), "TIKI_PASSPHRASE": None, "TIKI_PASSWORD": None, "TIKI_SERVER": None}
        return CliRunner().invoke(
            tiki, list(args), input=stdin, env={**env, **self.env}, obj=Run(outside=outside), catch_exceptions=False
        )  # fmt: skip

    def does(self, *args: str, stdin: str | bytes = "") -> dict[str, Any]:
        """Run `tiki --json` and return what it says; it must succeed."""
        result = self.run("--json", *args, stdin=stdin)
        assert result.exit_code == 0, (args, result.stdout, result.stderr)
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def refused(self, *args: str, stdin: str | bytes = "", status: int = 1) -> str:
        """Run `tiki --json`, which must be refused with a sentence; return the stable code."""
        result = self.run("--json", *args, stdin=stdin)
        assert result.exit_code == status, (args, result.stdout, result.stderr)
        problem = json.loads(result.stdout)
        assert len(problem["detail"]) > 20, problem
        assert problem["detail"].endswith("."), problem
        code: str = problem["code"]
        return code

    def offline_balance(self) -> int:
        """Return how much can be paid offline now, in minor units."""
        balance: int = self.does("status")["local"]["spendable_minor"]
        return balance


def pay_offline(payer: Phone, payee: Phone, amount: str, *memo: str) -> dict[str, Any]:
    """Play a whole meeting by text: request, payment, verdict and receipt; return what the payee was told."""
    asked = payee.does("offline", "request", amount)
    paid = payer.does("offline", "pay", asked["code"], "--yes", *memo)
    taken = payee.does("offline", "accept", paid["code"], "--yes")
    payer.does("offline", "accept", taken["receipt_code"])
    return taken
