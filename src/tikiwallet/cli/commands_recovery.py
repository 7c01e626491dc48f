"""Commands about how one signs in: another password, another phone number, and saying no to either."""

from pathlib import Path

import click
from rich.console import Console

from tikiwallet.cli import online, recovery
from tikiwallet.cli.commands_account import PASSWORD_FILE
from tikiwallet.cli.groups import number, password
from tikiwallet.cli.groups import tiki as tiki_group
from tikiwallet.cli.problems import PhoneMissing, WalletMissing
from tikiwallet.cli.recovery import Protection
from tikiwallet.cli.run import Run
from tikiwallet.cli.show import done, when

NEW_PASSWORD_FILE = click.option(
    "--new-password-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Holds the new password (or TIKI_NEW_PASSWORD).",
)


@password.command("forgot")
@click.argument("phone", required=False)
@click.pass_obj
def forgot(run: Run, phone: str | None) -> None:
    """Have a code for a new password sent, to the phone number of this wallet or PHONE."""
    try:
        with run.wallet() as wallet:
            phone = phone or wallet.store.setting("phone")
    except WalletMissing:
        pass
    if not phone:
        raise PhoneMissing
    with run.wallet(create=True) as wallet, run.screen().waiting("Asking for a code"):
        started = recovery.forgot(wallet, run.server(wallet), phone=phone)
    run.screen().show(
        started,
        lambda console, item: done(
            console,
            "If this number has a wallet, a code is on its way.",
            f"Run `tiki password reset CODE` before {when(item.code_expires_at)}.",
        ),
    )


@password.command("reset")
@click.argument("code")
@NEW_PASSWORD_FILE
@click.pass_obj
def reset(run: Run, code: str, new_password_file: Path | None) -> None:
    """Choose a new password with the CODE of the text message; it works a day later."""
    chosen = run.new_password(new_password_file)
    with run.wallet() as wallet, run.screen().waiting("Changing the password"):
        proven = recovery.reset(wallet, run.server(wallet), code=code, password=chosen)
    run.screen().show(
        proven,
        lambda console, item: done(
            console,
            f"The new password works from {when(item.effective_at)}.",
            "Until then the old one does, and `tiki protection --keep-password` cancels this.",
        ),
    )


@password.command("change")
@PASSWORD_FILE
@NEW_PASSWORD_FILE
@click.pass_obj
def change(run: Run, password_file: Path | None, new_password_file: Path | None) -> None:
    """Change the password, with the old one; every other session ends."""
    old, new = run.password(password_file, new=False), run.new_password(new_password_file)
    with run.online() as me:
        with run.screen().waiting("Changing the password"):
            recovery.change_password(me, old=old, new=new)
        run.screen().show(
            {"changed": True},
            lambda console, _: done(console, "The password is changed.", "You are signed out everywhere else."),
        )


@number.command("change")
@click.argument("phone")
@PASSWORD_FILE
@click.pass_obj
def change_number(run: Run, phone: str, password_file: Path | None) -> None:
    """Move this wallet to the number PHONE: a code comes to it, and one to the old phone."""
    given = run.password(password_file, new=False)
    with run.online() as me:
        with run.screen().waiting("Asking for two codes"):
            started = recovery.change_number(me, phone=phone, password=given)
        run.screen().show(
            started,
            lambda console, item: done(
                console,
                "Two codes are on their way.",
                f"Run `tiki number prove NEW_CODE OLD_CODE` before {when(item.code_expires_at)}; "
                "without the old one it takes a day.",
            ),
        )


@number.command("prove")
@click.argument("new_code")
@click.argument("old_code", required=False, default="")
@click.pass_obj
def prove_number(run: Run, new_code: str, old_code: str) -> None:
    """Prove the new phone by its code, and the old one by OLD_CODE if it is at hand: then it moves at once."""
    with run.online() as me:
        with run.screen().waiting("Moving the wallet"):
            proven = recovery.prove_number(me, new_code=new_code, old_code=old_code)
            if old_code:
                me.wallet.store.remember("phone", online.whoami(me).phone)
        said = "The number is changed." if old_code else f"The number changes on {when(proven.effective_at)}."
        hint = "" if old_code else "Until then `tiki protection --keep-number` cancels it."
        run.screen().show(proven, lambda console, _: done(console, said, hint))


@tiki_group.command()
@click.option("--keep-password", "kept", flag_value="password", help="Say no to a new password that waits.")
@click.option("--keep-number", "kept", flag_value="phone", help="Say no to a new phone number that waits.")
@click.pass_obj
def protection(run: Run, kept: str | None) -> None:
    """Show a new password or number that waits, and until when little leaves the wallet."""
    with run.online() as me:
        with run.screen().waiting("Asking the server"):
            if kept:
                recovery.keep(me, kept)
            found = recovery.protection(me)
        run.screen().show(found, _show)


def _show(console: Console, found: Protection) -> None:
    if found.password is not None:
        console.print(
            f"A new password works from {when(found.password.effective_at)}. If it wasn't you: "
            "`tiki protection --keep-password`, then `tiki password change`."
        )
    if found.phone is not None:
        console.print(
            f"The wallet moves to {found.phone.phone_masked} on {when(found.phone.effective_at)}. If it wasn't you: "
            "`tiki protection --keep-number`, then `tiki password change`."
        )
    if found.outgoing_capped_until is not None:
        console.print(f"Until {when(found.outgoing_capped_until)} only a little leaves the wallet.")
    if found == Protection(password=None, phone=None, outgoing_capped_until=None):
        console.print("Nothing waits.")
