"""Commands about where a person is signed in."""

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tikiwallet.cli import sign_ins
from tikiwallet.cli.groups import sessions
from tikiwallet.cli.run import Run
from tikiwallet.cli.show import done, warn, when

TOLD = {
    "new_device": "Somebody signed in on a new device: {label}, {at}. If it wasn't you, end it with "
    "`tiki sessions end {id}` and change your password.",
    "session_copied": "Your session on {label} was used in two places, so it was ended, {at}. If you didn't copy this "
    "wallet, change your password.",
}
UNKNOWN_LABEL = "an unknown program"


@sessions.command("list")
@click.pass_obj
def list_sessions(run: Run) -> None:
    """List where you are signed in, and say what is new."""
    with run.online() as me:
        with run.screen().waiting("Asking the server"):
            seen = sign_ins.look(me)
        run.screen().show(seen, _show)


@sessions.command("end")
@click.argument("session_id", metavar="ID")
@click.pass_obj
def end_session(run: Run, session_id: str) -> None:
    """End one of your other sign-ins: whoever uses it is out at once."""
    with run.online() as me:
        with run.screen().waiting("Ending"):
            ended = sign_ins.end(me, session_id)
        run.screen().show(ended, lambda console, item: done(console, f"Ended: {item.label or UNKNOWN_LABEL}."))


@sessions.command("end-others")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def end_others(run: Run, yes: bool) -> None:
    """End every sign-in but this one."""
    with run.online() as me:
        run.confirm("End every other sign-in?", yes=yes)
        with run.screen().waiting("Ending"):
            sign_ins.end_others(me)
        run.screen().show({"ended": True}, lambda console, _: done(console, "You are signed in here only."))


def _show(console: Console, seen: sign_ins.Seen) -> None:
    for notice in seen.told:
        sentence = TOLD.get(notice.kind, "Something is new about your sign-in on {label}, {at}.")
        text = sentence.format(
            label=notice.label or UNKNOWN_LABEL, at=when(notice.noticed_at), id=notice.session_id[:8]
        )
        warn(console, text, notice.kind)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("id", "where", "since", "last seen"):
        table.add_column(name)
    for item in seen.items:
        where = f"{item.label or UNKNOWN_LABEL}{' (this one)' if item.is_current else ''}"
        table.add_row(
            Text(item.session_id[:8], "dim"), Text(where), when(item.issued_at), when(item.last_seen_at)
        )  # fmt: skip
    console.print(table)
