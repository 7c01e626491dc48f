"""Commands about the account and the wallet itself: sign up, sign in, who am I, phones, status."""

import socket
from pathlib import Path

import click

from tikiwallet.cli import online, show_online, sync
from tikiwallet.cli.groups import phones, tiki
from tikiwallet.cli.locked import choose_receive_only
from tikiwallet.cli.lost_phone import find_phone
from tikiwallet.cli.problems import PhoneMissing, WalletMissing
from tikiwallet.cli.run import Run
from tikiwallet.cli.server import Online
from tikiwallet.cli.show import done, when
from tikiwallet.cli.status import status as wallet_status

PASSWORD_FILE = click.option(
    "--password-file", type=click.Path(path_type=Path), metavar="FILE", help="Holds the password (or TIKI_PASSWORD)."
)


RECEIVE_ONLY = click.option(
    "--receive-only/--no-receive-only",
    default=None,
    help="A till: this phone's key can only be paid, and gets its money sooner.",
)


def phone_name() -> str:
    """Return what this phone is called in the person's list: the name of the machine."""
    return socket.gethostname()[:40] or "tiki"


@tiki.command()
@click.argument("phone")
@click.argument("username")
@PASSWORD_FILE
@RECEIVE_ONLY
@click.pass_obj
def register(run: Run, phone: str, username: str, password_file: Path | None, receive_only: bool | None) -> None:
    """Sign up; a code comes to PHONE by text message."""
    password = run.password(password_file, new=True)
    with run.wallet(create=True) as wallet, run.screen().waiting("Signing up"):
        started = online.register(wallet, run.server(wallet), phone=phone, username=username, password=password)
        choose_receive_only(wallet, receive_only)
    run.screen().show(
        started,
        lambda console, item: done(
            console, f"A code is on its way to {phone}.", f"Run `tiki verify CODE` before {when(item.code_expires_at)}."
        ),
    )


@tiki.command()
@click.argument("code", required=False)
@click.option("--resend", is_flag=True, help="Have a fresh code sent instead.")
@click.pass_obj
def verify(run: Run, code: str | None, resend: bool) -> None:
    """Prove the phone with the CODE of the text message, and sign in."""
    if (code is None) is not resend:
        raise click.UsageError("Give the code, or --resend.")
    with run.wallet() as wallet:
        if code is None:
            with run.screen().waiting("Asking for a code"):
                started = online.send_fresh_code(wallet, run.server(wallet))
            run.screen().show(started, lambda console, _: done(console, "A fresh code is on its way."))
            return
        with run.screen().waiting("Opening your wallet"):
            signed_in = online.verify(wallet, run.server(wallet), code=code)
        wallet.signer()
        run.screen().show(
            signed_in.person,
            lambda console, item: done(
                console, f"Welcome, {item.username}. Your wallet is open.", "Next: `tiki topup`, then `tiki load`."
            ),
        )


@tiki.command()
@click.argument("phone", required=False)
@PASSWORD_FILE
@RECEIVE_ONLY
@click.option("--code", default="", help="From the text message, where this folder is new to you.")
@click.option("--recovery-code", default="", help="From paper, instead of a text message.")
@click.pass_obj
def login(  # noqa: PLR0917 -- click hands over each option by its name
    run: Run, phone: str | None, password_file: Path | None, receive_only: bool | None, code: str, recovery_code: str
) -> None:
    """Sign in, with the phone number of this wallet or PHONE. A folder that is new to you takes a second proof."""
    try:
        with run.wallet() as wallet:
            phone = phone or wallet.store.setting("phone")
    except WalletMissing:
        pass
    if not phone:
        raise PhoneMissing
    password = run.password(password_file, new=False)
    with run.wallet(create=True) as wallet:
        choose_receive_only(wallet, receive_only)
        with run.screen().waiting("Signing in"):
            signed_in = online.login(
                wallet, run.server(wallet), phone=phone, password=password, code=code, recovery_code=recovery_code
            )
        wallet.signer()
        run.screen().show(
            {"person": signed_in.person, "expires_at": signed_in.expires_at},
            lambda console, _: done(
                console, f"Signed in as {signed_in.person.username} until {when(signed_in.expires_at)}."
            ),
        )


@tiki.command("recovery-codes")
@click.pass_obj
def recovery_codes(run: Run) -> None:
    """Make ten recovery codes, for the day when the phone is lost; those from before stop working."""
    with run.online() as me:
        made = run.proven(me, lambda: online.make_recovery_codes(me))
        run.screen().show(
            made,
            lambda console, item: done(console, "\n".join(item.codes), "Write them down now; they aren't shown again."),
        )


@tiki.command()
@click.pass_obj
def logout(run: Run) -> None:
    """Sign out. Offline money and everything to be brought stay in the folder."""
    with run.wallet() as wallet:
        with run.screen().waiting("Signing out"):
            online.logout(Online(wallet, run.server(wallet)))
        run.screen().show(
            {"signed_in": False},
            lambda console, _: done(console, "Signed out.", "Your offline money stays here and still works."),
        )


@tiki.command()
@click.pass_obj
def whoami(run: Run) -> None:
    """Show who is signed in."""
    with run.online() as me:
        with run.screen().waiting("Asking the server"):
            person = online.whoami(me)
        run.screen().show(person, show_online.person)


@tiki.command()
@click.pass_obj
def status(run: Run) -> None:
    """Show what this wallet is and how it stands, without a network."""
    with run.wallet() as wallet:
        run.screen().show(wallet_status(wallet), show_online.status)


@phones.command("list")
@click.pass_obj
def list_phones(run: Run) -> None:
    """List your phones."""
    with run.online() as me:
        with run.screen().waiting("Asking the server"):
            found = sync.devices(me)
        row = me.wallet.key()
        this = (row["device_id"] or "") if row else ""
        run.screen().show(found, lambda console, items: show_online.phones(console, items, this=this))


@phones.command("retire")
@click.argument("device_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def retire_phone(run: Run, device_id: str, yes: bool) -> None:
    """Retire a phone that you sold or don't use; its money comes home by its dates. A lost one: `tiki phones lost`."""
    with run.online() as me:
        found = find_phone(me, device_id)
        run.confirm(f"Retire {found.name}? It gets no offline money any more.", yes=yes)
        with run.screen().waiting("Retiring"):
            device = sync.retire_device(me, found.device_id)
        run.screen().show(
            device,
            lambda console, item: done(console, f"{item.name} is retired.", "What it holds comes home by its dates."),
        )


@phones.command("replace")
@click.option("--yes", is_flag=True, help="Don't ask.")
@RECEIVE_ONLY
@click.pass_obj
def replace_key(run: Run, yes: bool, receive_only: bool | None) -> None:
    """Give this phone a new key, because the old one is lost, damaged or locked."""
    with run.wallet() as wallet:
        run.confirm("Give up this phone's key? The offline money it holds comes home only by its dates.", yes=yes)
        wallet.retire_key("replaced")
        choose_receive_only(wallet, receive_only)
        wallet.signer()
        run.screen().show(
            wallet_status(wallet),
            lambda console, _: done(console, "This phone has a new key.", "Run `tiki sync` to make it known."),
        )
