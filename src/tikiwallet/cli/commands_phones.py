"""Commands about one phone of several: what is on it, and that it is lost."""

import click

from tikiwallet.cli import lost_phone, show_online
from tikiwallet.cli.groups import phones
from tikiwallet.cli.run import Run


@phones.command("show")
@click.argument("device_id", metavar="ID")
@click.pass_obj
def show_phone(run: Run, device_id: str) -> None:
    """Show what is on a phone, what it was paid, and what whoever has it could do with that."""
    with run.online() as me:
        with run.screen().waiting("Asking the server"):
            found = lost_phone.money_on(me, lost_phone.find_phone(me, device_id).device_id)
        run.screen().show(found, show_online.phone_money)


@phones.command("lost")
@click.argument("device_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def lost(run: Run, device_id: str, yes: bool) -> None:
    """Block a lost or stolen phone for ever, sign it out, and say what becomes of its money.

    Every other place where you are signed in is signed out too, since it may be that phone.
    """
    with run.online() as me:
        device = lost_phone.find_phone(me, device_id)
        run.confirm(f"Block {device.name} for ever? It can't be unblocked.", yes=yes)
        with run.screen().waiting("Blocking"):
            reported = lost_phone.report_lost(me, device.device_id)
        run.screen().show(reported, show_online.lost)
