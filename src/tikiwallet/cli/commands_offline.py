"""Commands that need no network: ask, pay, accept, refuse, and show again. None of them ever tries one."""

import sys
from pathlib import Path
from typing import Any

import click

from tikicash.messages import Bundle, Payment, Receipt, Refusal, Request, Signed, to_code
from tikiwallet.cli import codes, local, paying, receiving, refunding, show
from tikiwallet.cli.groups import offline
from tikiwallet.cli.problems import NotConfirmed, NothingStored, WrongKindOfCode
from tikiwallet.cli.run import Run, read_amount
from tikiwallet.cli.trust import read_trust
from tikiwallet.cli.wallet_folder import Wallet

AMOUNTS = {"ignore_unknown_options": True}
PNG = click.option(
    "--png", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Save the code as a picture."
)
YES = click.option("--yes", is_flag=True, help="Don't ask.")


def _read(given: str) -> object:
    return codes.read_code(given, sys.stdin.buffer)


def _kind(message: object) -> type[Any]:
    """Return what a code is about: the last document of a bundle, or the document itself."""
    if isinstance(message, Bundle):
        return type(message.documents[-1].body) if message.documents else Bundle
    return type(message.body) if isinstance(message, Signed) else type(message)


def _save(text: str, png: Path | None) -> None:
    if png is not None:
        codes.write_png(text, png)


@offline.command("request", context_settings=AMOUNTS)
@click.argument("amount")
@PNG
@click.pass_obj
def ask(run: Run, amount: str, png: Path | None) -> None:
    """Ask to be paid AMOUNT: shows the code that the payer scans."""
    with run.wallet() as wallet:
        wanted = read_amount(amount, read_trust(wallet.store).currency)
        item = receiving.ask(wallet, wanted.amount_minor)
        _save(item.code, png)
        run.screen().show(
            item, lambda console, shown: show.my_request(console, shown, wanted.currency, png), currency=wanted.currency
        )


@offline.command("pay")
@click.argument("code")
@click.option("--memo", default="", metavar="TEXT", help="A note for the payee, at most 128 bytes.")
@PNG
@YES
@click.pass_obj
def pay(run: Run, code: str, memo: str, png: Path | None, yes: bool) -> None:
    """Pay a request: shows the code that the payee scans. The same request again shows the same code."""
    message = codes.read_request_code(code, sys.stdin.buffer)
    with run.wallet() as wallet:
        asked = paying.read_request(wallet, message)
        currency = read_trust(wallet.store).currency
        made = paying.find_made(wallet, asked)
        if made is None:
            if not run.as_json:
                show.asked(run.screen().err, asked, currency)
            run.confirm(f"Pay {show.money(asked.request.body.amount, currency)} to {asked.name}?", yes=yes)
            made = paying.pay(wallet, asked, memo=memo)
        _save(made.code, png)
        run.screen().show(made, lambda console, item: show.made(console, item, currency, png), currency=currency)


@offline.command("accept")
@click.argument("code")
@PNG
@YES
@click.pass_obj
def accept(run: Run, code: str, png: Path | None, yes: bool) -> None:
    """Take a payment, or the payee's receipt or refusal.

    A payment is judged first: Final, Protected with its amount and date, At your risk, or refused and why. If part of
    it is at your risk, tiki asks before it gives the receipt.
    """
    message = _read(code)
    with run.wallet() as wallet:
        currency = read_trust(wallet.store).currency
        if isinstance(message, Signed) and isinstance(message.body, Receipt | Refusal):
            answered = paying.take_answer(wallet, message, code=to_code(message))
            run.screen().show(
                answered, lambda console, item: show.answered(console, item, currency), currency=currency
            )  # fmt: skip
            return
        if not isinstance(message, Bundle) or _kind(message) is Request:
            raise WrongKindOfCode(f"{WrongKindOfCode.sentence()} A request is paid with `tiki offline pay`.")
        _take_payment(run, wallet, message, currency=currency, png=png, yes=yes)


def _take_payment(run: Run, wallet: Wallet, bundle: Bundle, *, currency: str, png: Path | None, yes: bool) -> None:
    judged = receiving.judge(wallet, bundle)
    screen = run.screen()
    if not run.as_json:
        show.verdict(screen.out, judged, currency)
    if judged.at_risk_minor and not judged.shown_again:
        try:
            at_risk = show.money(judged.at_risk_minor, currency)
            run.confirm(f"Take it, with {at_risk} at your own risk?", yes=yes)
        except NotConfirmed:
            detail = "You didn't take it. Tell the payer with `tiki offline refuse`, or take it later with --yes."
            raise NotConfirmed(
                detail, at_risk_minor=judged.at_risk_minor, protected_minor=judged.protected_minor
            ) from None
    taken = receiving.take_payment(wallet, bundle)
    _save(taken.receipt_code, png)
    screen.show(taken, lambda console, item: show.received(console, item, currency, png), currency=currency)


@offline.command("refuse")
@click.argument("code")
@click.option(
    "--reason", default="not_wanted", show_default=True, metavar="WORD", help="Why, in small letters, as in not_wanted."
)
@PNG
@click.pass_obj
def refuse(run: Run, code: str, reason: str, png: Path | None) -> None:
    """Refuse a payment: shows a signed refusal that the payer scans. You claim nothing from it."""
    message = _read(code)
    with run.wallet() as wallet:
        if not isinstance(message, Bundle) or _kind(message) is not Payment:
            raise WrongKindOfCode(f"{WrongKindOfCode.sentence()} Scan the payer's payment.")
        currency = read_trust(wallet.store).currency
        refused = receiving.refuse(wallet, message, reason=reason)
        _save(refused.code, png)
        run.screen().show(refused, lambda console, item: show.refused(console, item, currency, png), currency=currency)


@offline.command("refund", context_settings=AMOUNTS)
@click.argument("payment_id", metavar="ID")
@click.argument("amount", required=False)
@click.option("--again", is_flag=True, help="Give back more, though no receipt of the last refund came.")
@PNG
@YES
@click.pass_obj
def refund(run: Run, payment_id: str, amount: str | None, *, again: bool, png: Path | None, yes: bool) -> None:
    """Give back a payment that you received: all that is left of it, or AMOUNT. The payer scans the code.

    Until its receipt comes, the same refund is shown again.
    """
    with run.wallet() as wallet:
        currency = read_trust(wallet.store).currency
        wanted_minor = None if amount is None else read_amount(amount, currency).amount_minor
        sale = refunding.refundable(wallet, bytes.fromhex(local.find_entry(wallet, payment_id).id))
        made = None if again else refunding.shown_before(sale, wanted_minor)
        if made is None:
            if wanted_minor is None:
                wanted_minor = sale.held_minor or sale.amount_minor
            run.confirm(show.refund_question(sale, wanted_minor, currency), yes=yes)
            made = refunding.give_back(wallet, sale, wanted_minor)
        _save(made.code, png)
        run.screen().show(made, lambda console, item: show.made(console, item, currency, png), currency=currency)


@offline.command("show")
@click.argument("entry_id", metavar="[ID]", required=False)
@PNG
@click.pass_obj
def show_again(run: Run, entry_id: str | None, png: Path | None) -> None:
    """List what happened with no network, or show the code of ID again: the same bytes."""
    with run.wallet() as wallet:
        currency = wallet.store.setting("currency")
        if entry_id is None:
            run.screen().show(
                local.entries(wallet), lambda console, items: show.entries(console, items, currency), currency=currency
            )
            return
        found = local.find_entry(wallet, entry_id)
        text = found.receipt_code or found.code
        _save(text, png)
        caption = f"{show.KINDS[found.kind].capitalize()}: {show.money(found.amount_minor, currency)}."
        run.screen().show(
            found, lambda console, _: show.code(console, text, png=png, caption=caption), currency=currency
        )  # fmt: skip


@offline.command("not-taken")
@click.argument("payment_id", metavar="ID")
@click.pass_obj
def not_taken(run: Run, payment_id: str) -> None:
    """Note that nobody scanned a payment of yours: it isn't brought, and its money comes home by its date."""
    with run.wallet() as wallet:
        found = local.find_entry(wallet, payment_id)
        if found.kind != "made":
            raise NothingStored
        made = paying.say_not_taken(wallet, bytes.fromhex(found.id))
        currency = wallet.store.setting("currency")
        run.screen().show(made, lambda console, item: show.answered(console, item, currency), currency=currency)
