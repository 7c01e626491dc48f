"""Closing one's wallet with the operator: what is in the way is listed, and gone first."""

from datetime import datetime

import click
import msgspec
from rich.console import Console

from tikiwallet.cli.groups import tiki
from tikiwallet.cli.run import Run
from tikiwallet.cli.show import done, money, when
from tikiwallet.platform.money import Balance

IN_THE_WAY = {
    "balance": "in the wallet: pay it to somebody or `tiki withdraw` it",
    "offline_money": "of offline money that isn't decided yet",
    "debt": "owed to the operator",
    "operation": "in a top-up or withdrawal that isn't over",
    "payment": "a payment that isn't over",
}


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in the way; `until` when it goes by itself."""

    kind: str
    amount: Balance | None = None
    until: datetime | None = None


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """How the wallet stands, and what is in the way of closing it."""

    state: str
    obstacles: list[Obstacle]


@tiki.command("close")
@click.option("--keep", is_flag=True, help="Keep the wallet after all.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def close(run: Run, keep: bool, yes: bool) -> None:
    """Close your wallet with the operator, or begin to and see what is in the way. A closed one stays closed."""
    with run.online() as me:
        if keep:
            me.delete("/v1/me/closing")
            found = me.get("/v1/me/closing", Closing)
        else:
            run.confirm("Close your wallet for ever, as soon as it is empty?", yes=yes)
            with run.screen().waiting("Closing"):
                found = me.post("/v1/me/closing", Closing)
        run.screen().show(found, _show)


def _show(console: Console, found: Closing) -> None:
    told = {"closed": "Your wallet is closed.", "closing": "Your wallet is closing; still in the way:"}
    done(console, told.get(found.state, "Your wallet stays open."))
    for item in found.obstacles if found.state == "closing" else []:
        amount = f"{money(item.amount.amount_minor, item.amount.currency)} " if item.amount is not None else ""
        until = f" (until {when(item.until)})" if item.until is not None else ""
        console.print(f"  {amount}{IN_THE_WAY.get(item.kind, item.kind)}{until}")
