"""One run of `tiki`: what was asked for, where to show it, and the outside world at the edge.

The clock, chance, secrets and terminals enter here and nowhere else, so that a test can repeat everything below.
"""

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import click
import platformdirs
from rich.console import Console

from tikiwallet.cli.online import prove
from tikiwallet.cli.problems import (
    AmountInvalid,
    NeverOnline,
    NotConfirmed,
    PasswordMissing,
    SecretUnreadable,
    ServerSaidNo,
)
from tikiwallet.cli.screen import Screen
from tikiwallet.cli.server import Online, Server
from tikiwallet.cli.wallet_folder import Edge, Wallet, open_wallet
from tikiwallet.platform.money import Amount, parse_decimal

T = TypeVar("T")
DEFAULT_SERVER = "http://127.0.0.1:8000"


def _unix_now() -> int:
    return int(time.time())


def _state_dir() -> Path:
    return Path(os.environ.get("TIKI_STATE_DIR") or platformdirs.user_state_dir("tiki", appauthor=False))


@dataclass(kw_only=True)
class Outside:
    """The world outside: replaced in tests."""

    now: Callable[[], int] = _unix_now
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    state_dir: Callable[[], Path] = _state_dir
    wait_seconds: float = 5.0


@dataclass(kw_only=True)
class Run:
    """What the shared options say, and what the commands do with it."""

    outside: Outside = field(default_factory=Outside)
    as_json: bool = False
    folder: Path | None = None
    server_url: str = ""
    passphrase_file: Path | None = None
    _wallet: Wallet | None = None

    def screen(self) -> Screen:
        """Return where results and problems go: standard output and standard error as they are now."""
        return Screen(
            out=Console(file=sys.stdout, highlight=False, emoji=False),
            err=Console(file=sys.stderr, highlight=False, emoji=False),
            as_json=self.as_json,
            notices=self._wallet.notices if self._wallet else [],
        )

    def wallet_folder(self) -> Path:
        """Return the wallet's folder: --wallet, TIKI_WALLET, or the person's data folder."""
        return self.folder or Path(platformdirs.user_data_dir("tiki", appauthor=False)) / "wallet"

    @contextlib.contextmanager
    def wallet(self, *, create: bool = False) -> Iterator[Wallet]:
        """Open the wallet for this command. Problems: those of `open_wallet`."""
        edge = Edge(
            state_dir=self.outside.state_dir(),
            passphrase=self._passphrase,
            now=self.outside.now,
            random_bytes=self.outside.random_bytes,
            wait_seconds=self.outside.wait_seconds,
        )
        with open_wallet(self.wallet_folder(), edge, create=create) as wallet:
            self._wallet = wallet
            yield wallet

    def server(self, wallet: Wallet) -> Server:
        """Return the server: --server, TIKI_SERVER, the one remembered, or the one on this machine."""
        return Server(self.server_url or wallet.store.setting("server") or DEFAULT_SERVER)

    @contextlib.contextmanager
    def online(self) -> Iterator[Online]:
        """Open the wallet with its server. Problems: those of `open_wallet`, `Server`."""
        with self.wallet() as wallet:
            yield Online(wallet, self.server(wallet))

    def password(self, given: Path | None, *, new: bool) -> str:
        """Return the account's password: from a file, TIKI_PASSWORD, or asked for. Problem: `PasswordMissing`."""
        text = _secret(given, "TIKI_PASSWORD")
        if text is None and sys.stdin.isatty():
            text = str(click.prompt("Password", hide_input=True, confirmation_prompt=new, err=True))
        if not text:
            raise PasswordMissing
        return text

    def new_password(self, given: Path | None) -> str:
        """Return a password to be: from a file, TIKI_NEW_PASSWORD, or asked for twice. Problem: `PasswordMissing`."""
        text = _secret(given, "TIKI_NEW_PASSWORD")
        if text is None and sys.stdin.isatty():
            text = str(click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
        if not text:
            raise PasswordMissing
        return text

    def proven(self, me: Online, work: Callable[[], T]) -> T:
        """Do what may need a fresh proof; if it does, ask for the password and do it again.

        Problems: `PasswordMissing`, those of `work` and of `Server.call`.
        """
        try:
            return work()
        except ServerSaidNo as said:
            if said.code != "step_up_required":
                raise
        prove(me, password=self.password(None, new=False))
        return work()

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something that can't be undone. Problem: `NotConfirmed`."""
        if yes:
            return
        try:
            agreed = click.confirm(question, err=True)
        except click.Abort:
            agreed = False
        if not agreed:
            raise NotConfirmed

    def _passphrase(self, new: bool) -> str:
        text = _secret(self.passphrase_file, "TIKI_PASSPHRASE")
        if text is None and sys.stdin.isatty():
            question = "Passphrase for this wallet's key (empty: none)" if new else "Passphrase of this wallet's key"
            text = _ask_in_secret(question)
            while new and text and _ask_in_secret("Repeat for confirmation") != text:
                click.echo("These two differ; try again.", err=True)
                text = _ask_in_secret(question)
        return text or ""


def _ask_in_secret(question: str) -> str:
    return str(click.prompt(question, hide_input=True, default="", show_default=False, err=True))


def _secret(given: Path | None, variable: str) -> str | None:
    """Return a secret from a file or the environment; None if there is neither. Problem: `SecretUnreadable`."""
    if given is None:
        return os.environ.get(variable)
    try:
        return given.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        raise SecretUnreadable from error


def read_amount(text: str, currency: str) -> Amount:
    """Return what somebody typed as an amount of the wallet's currency. Problems: `AmountInvalid`, `NeverOnline`."""
    if not currency:
        raise NeverOnline
    try:
        return Amount(amount_minor=parse_decimal(text, currency), currency=currency)
    except ValueError as error:
        raise AmountInvalid(f"{text!r} isn't an amount in {currency}. Write it such as 12.50, above zero.") from error
