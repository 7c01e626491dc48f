"""The groups of `tiki`'s commands, the options they share, and the one place where a problem becomes a
sentence, a code and an exit status. Exit statuses:
0 done, 1 refused, 2 usage, 3 no network, 4 tiki itself is at fault. No traceback reaches a person.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from tikiwallet.cli.install import write_durably
from tikiwallet.cli.problems import Bug, Exit, Interrupted, Problem
from tikiwallet.cli.run import Run

HELP_NAMES = ["-h", "--help"]
ERROR_FILE = "tiki-error.txt"


def _set(name: str) -> Any:
    def callback(context: click.Context, _: click.Parameter, value: Any) -> None:
        run = context.find_root().ensure_object(Run)
        if value:
            setattr(run, name, value)

    return callback


def _shared_options(*, at_root: bool) -> list[click.Parameter]:
    """Return the options that every command takes, before or after its name.

    Only `tiki` itself reads the environment, so that an option given anywhere wins over a variable.
    """
    return [
        click.Option(
            ["--json", "as_json"], is_flag=True, expose_value=False, callback=_set("as_json"),
            help="Write the result, or the problem, as one JSON object.",
        ),
        click.Option(
            ["--wallet", "folder"], type=click.Path(path_type=Path, file_okay=False), expose_value=False,
            envvar="TIKI_WALLET" if at_root else None, callback=_set("folder"), metavar="DIR",
            help="The wallet's folder (TIKI_WALLET).",
        ),
        click.Option(
            ["--server", "server_url"], expose_value=False, envvar="TIKI_SERVER" if at_root else None,
            callback=_set("server_url"), metavar="URL",
            help="The server (TIKI_SERVER); remembered at register and login.",
        ),
        click.Option(
            ["--passphrase-file"], type=click.Path(path_type=Path), expose_value=False,
            callback=_set("passphrase_file"), metavar="FILE", help="Holds the passphrase of the wallet's key.",
        ),
    ]  # fmt: skip


class Command(click.Command):
    """A command that takes the shared options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_shared_options(at_root=False))


class Group(click.Group):
    """A group of such commands. A group with a command `list` runs that if none is named."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_shared_options(at_root=isinstance(self, Root)))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `tiki phones --json` for `tiki phones list --json`."""
        if "list" in self.commands and not any(item in self.commands or item in HELP_NAMES for item in args):
            args = ["list", *args]
        return super().parse_args(ctx, args)


class Root(Group):
    """`tiki` itself: the only code that turns what was raised into what a person and a script see."""

    group_class = Group

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run one command and exit with its status."""
        given = list(sys.argv[1:] if args is None else args)
        run = extra.pop("obj", None) or Run()
        try:
            status = super().main(given, prog_name or "tiki", standalone_mode=False, obj=run, **extra)
        except BrokenPipeError:  # whoever reads our output has stopped, as in `tiki history | head`
            with contextlib.suppress(OSError):  # and Python's last flush must not complain either
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = Exit.REFUSED
        except Exception as raised:  # the loop that must survive: one run, one sentence, one status
            status = _report(run, raised, as_json="--json" in given)
        sys.exit(status if isinstance(status, int) else Exit.OK)


def _report(run: Run, raised: Exception, *, as_json: bool) -> int:
    """Show what went wrong and return the exit status."""
    run.as_json = run.as_json or as_json
    if isinstance(raised, click.UsageError) and not run.as_json:
        raised.show()
        return Exit.USAGE
    problem = _problem(raised)
    if isinstance(problem, Bug):
        _write_error_file(run, raised)
    run.screen().problem(problem)
    return Exit.USAGE if isinstance(raised, click.UsageError) else problem.exit_status


def _problem(raised: Exception) -> Problem:
    if isinstance(raised, Problem):
        return raised
    if isinstance(raised, click.Abort):
        return Interrupted()
    if isinstance(raised, click.UsageError):
        problem = Problem(f"{raised.format_message().rstrip('.')}. Run the command with --help.")
        problem.code = "usage"
        return problem
    return Bug()


def _write_error_file(run: Run, raised: Exception) -> None:
    """Keep the traceback for a report, beside the wallet if that is possible; it holds no secret of the wallet."""
    text = "".join(traceback.format_exception(raised))
    for folder in (run.wallet_folder(), Path.cwd()):
        try:
            write_durably(folder / ERROR_FILE, text.encode())
        except OSError:
            continue
        return


@click.group(
    cls=Root,
    context_settings={"help_option_names": HELP_NAMES},
    epilog="Exit status: 0 done, 1 refused, 2 usage, 3 no network, 4 a fault in tiki. Everything under `tiki offline`, "
    "`unload` and `status` works without a network.",
)
@click.version_option(package_name="tikiwallet", prog_name="tiki")
def tiki() -> None:
    """A wallet that pays with and without a network."""


@tiki.group()
def offline() -> None:
    """Pay and be paid phone to phone, with no network.

    The payee runs `request`, the payer scans that with `pay`, the payee scans the payment with `accept`, and the payer
    may scan the receipt with `accept`. CODE is the text of a code in quotes, a picture or text file, or - for standard
    input.
    """


@tiki.group()
def requests() -> None:
    """Requests for money: list them, pay, decline or cancel one."""


@tiki.group()
def sessions() -> None:
    """Where you are signed in: list it, end what you don't know, or all others."""


@tiki.group()
def phones() -> None:
    """Your phones: list them, see what is on one, block a lost one, or give this one a new key."""


@tiki.group()
def password() -> None:
    """Another password, with the old one or by text message."""


@tiki.group()
def number() -> None:
    """Another phone number for this wallet."""
