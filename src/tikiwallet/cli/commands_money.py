"""Commands that move or show money with a network: balance, pay, requests, top up, withdraw, load, sync."""

import sys

import click

from tikiwallet.cli import codes, local, online, paying, show, show_online, sync
from tikiwallet.cli.answers import MoneyRequest
from tikiwallet.cli.commands_account import phone_name
from tikiwallet.cli.groups import requests as requests_group
from tikiwallet.cli.groups import tiki
from tikiwallet.cli.problems import NotSignedIn, RequestUnknown, ServerUnreachable
from tikiwallet.cli.run import Run, read_amount
from tikiwallet.cli.server import Online

AMOUNTS = {"ignore_unknown_options": True}  # so that -5 is an amount that is refused, and not an unknown option
MEMO = click.option("--memo", default="", metavar="TEXT", help="A note, at most 140 characters.")
YES = click.option("--yes", is_flag=True, help="Don't ask.")


@tiki.command()
@click.pass_obj
def balance(run: Run) -> None:
    """Show your money: from the server, or what this folder knows."""
    with run.online() as me:
        fresh = True
        try:
            with run.screen().waiting("Asking the server"):
                online.learn_currency(me)
                online.money_view(me)
        except (ServerUnreachable, NotSignedIn) as problem:
            if not me.wallet.store.setting("currency"):
                raise
            me.wallet.notices.append(problem)
            fresh = False
        shown = local.known_balance(me.wallet, is_fresh=fresh)
        run.screen().show(shown, show.balance)


@tiki.command(context_settings=AMOUNTS)
@click.argument("amount")
@click.pass_obj
def topup(run: Run, amount: str) -> None:
    """Bring AMOUNT from your bank into the wallet."""
    with run.online() as me:
        with run.screen().waiting("Asking the bank"):
            operation = online.top_up(me, read_amount(amount, online.learn_currency(me)))
        run.screen().show(operation, show_online.operation)


@tiki.command(context_settings=AMOUNTS)
@click.argument("amount")
@YES
@click.pass_obj
def withdraw(run: Run, amount: str, yes: bool) -> None:
    """Take AMOUNT out of the wallet to your bank. A fee is shown and asked about first."""
    with run.online() as me:
        with run.screen().waiting("Asking the bank"):
            wanted = read_amount(amount, online.learn_currency(me))
            quote = online.quote(me, wanted)
        if quote.fee_minor:
            fee = show.money(quote.fee_minor, wanted.currency)
            arriving = show.money(quote.arriving.amount_minor, wanted.currency)
            run.confirm(f"The fee is {fee}, so that {arriving} arrive. Withdraw?", yes=yes)
        with run.screen().waiting("Asking the bank"):
            operation = run.proven(me, lambda: online.withdraw(me, wanted, fee_minor=quote.fee_minor))
        run.screen().show(operation, show_online.operation)


@tiki.command(context_settings=AMOUNTS)
@click.argument("who")
@click.argument("amount")
@MEMO
@YES
@click.pass_obj
def pay(run: Run, who: str, amount: str, memo: str, yes: bool) -> None:
    """Pay WHO (a phone number or username) AMOUNT, online."""
    with run.online() as me:
        with run.screen().waiting("Looking up the payee"):
            wanted = read_amount(amount, online.learn_currency(me))
            payee = online.find_person(me, who)
        run.confirm(
            f"Pay {show.money(wanted.amount_minor, wanted.currency)} to {payee.username} ({payee.phone_masked})?",
            yes=yes,
        )
        with run.screen().waiting("Paying"):
            receipt = run.proven(me, lambda: online.pay(me, who=who, amount=wanted, memo=memo))
        run.screen().show(receipt, show_online.receipt)


@tiki.command(context_settings=AMOUNTS)
@click.argument("who")
@click.argument("amount")
@MEMO
@click.pass_obj
def request(run: Run, who: str, amount: str, memo: str) -> None:
    """Ask WHO (a phone number or username) for AMOUNT, online."""
    with run.online() as me:
        with run.screen().waiting("Asking"):
            wanted = read_amount(amount, online.learn_currency(me))
            asked = online.request(me, who=who, amount=wanted, memo=memo)
        run.screen().show(asked, show_online.money_request)


@requests_group.command("list")
@click.option("--role", type=click.Choice(["payer", "payee"]), default=None, help="Only those to me, or by me.")
@click.option("--state", default="", help="Only those in this state, such as open.")
@click.pass_obj
def list_requests(run: Run, role: str | None, state: str) -> None:
    """List requests for money to you and by you."""
    with run.online() as me:
        with run.screen().waiting("Asking the server"):
            found = online.requests(me, role=role or "", state=state)
        name = me.wallet.store.setting("username")
        run.screen().show(found, lambda console, items: show_online.money_requests(console, items, me=name))


@requests_group.command("pay")
@click.argument("request_id", metavar="ID")
@YES
@click.pass_obj
def pay_request(run: Run, request_id: str, yes: bool) -> None:
    """Pay a request of somebody."""
    with run.online() as me:
        found = _find_request(me, request_id)
        amount = show.money(found.amount.amount_minor, found.amount.currency)
        run.confirm(f"Pay {amount} to {found.payee.username} ({found.payee.phone_masked})?", yes=yes)
        with run.screen().waiting("Paying"):
            paid = online.pay_request(me, found.request_id)
        run.screen().show(paid, show_online.money_request)


@requests_group.command("decline")
@click.argument("request_id", metavar="ID")
@click.pass_obj
def decline_request(run: Run, request_id: str) -> None:
    """Decline a request to you."""
    _end_request(run, request_id, "decline")


@requests_group.command("cancel")
@click.argument("request_id", metavar="ID")
@click.pass_obj
def cancel_request(run: Run, request_id: str) -> None:
    """Take back a request of yours."""
    _end_request(run, request_id, "cancellation")


def _end_request(run: Run, request_id: str, how: str) -> None:
    with run.online() as me:
        with run.screen().waiting("Asking the server"):
            ended = online.end_request(me, _find_request(me, request_id).request_id, how)
        run.screen().show(ended, show_online.money_request)


def _find_request(me: Online, wanted: str) -> MoneyRequest:
    """Return the request whose id starts with what was typed. Problem: `RequestUnknown`."""
    found = [item for item in online.requests(me, role="", state="") if item.request_id.startswith(wanted.lower())]
    if len(found) != 1 or not wanted:
        raise RequestUnknown
    return found[0]


@tiki.command()
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="How many to show.")
@click.option("--cursor", default="", metavar="CURSOR", help="Go on after an earlier page.")
@click.pass_obj
def history(run: Run, limit: int, cursor: str) -> None:
    """Show movements of the online balance, newest first."""
    with run.online() as me:
        with run.screen().waiting("Asking the server"):
            page = online.history(me, limit=limit, cursor=cursor)
        run.screen().show(page, show_online.history)


@tiki.command(context_settings=AMOUNTS)
@click.argument("amount")
@click.option(
    "--for",
    "for_code",
    default=None,
    metavar="CODE",
    help="Lock it to the phone that shows this request: final to that phone with no network, and for nobody else.",
)
@YES
@click.pass_obj
def load(run: Run, amount: str, for_code: str | None, yes: bool) -> None:
    """Turn AMOUNT of your online money into offline money on this phone."""
    request = None if for_code is None else codes.read_request_code(for_code, sys.stdin.buffer)
    with run.online() as me:
        wanted = read_amount(amount, online.learn_currency(me))
        audience_key = None
        if request is not None:
            with run.screen().waiting("Meeting the operator"):
                sync.prepare(me, phone_name=phone_name())
            asked = paying.read_request(me.wallet, request)
            audience_key = asked.request.body.payee_key
            text = show.money(wanted.amount_minor, wanted.currency)
            run.confirm(f"Lock {text} to the phone of {show.payee(asked)}? Nobody else can be paid with it.", yes=yes)
        with run.screen().waiting("Loading"):
            loaded = sync.load(me, wanted, phone_name=phone_name(), audience_key=audience_key)
        run.screen().show(loaded, show_online.loaded)


@tiki.command(context_settings=AMOUNTS)
@click.argument("amount", required=False)
@click.pass_obj
def unload(run: Run, amount: str | None) -> None:
    """Hand offline money back, all or AMOUNT. Works with no network; completes at the next sync."""
    with run.wallet() as wallet:
        currency = wallet.store.setting("currency")
        wanted = None if amount is None else read_amount(amount, currency).amount_minor
        made = paying.hand_back(wallet, wanted)
        run.screen().show(made, lambda console, items: show.handed_back(console, items, currency), currency=currency)


@tiki.command("sync", context_settings=AMOUNTS)
@click.option("--keep", default=None, metavar="AMOUNT", help="The offline balance to have afterwards.")
@click.pass_obj
def sync_command(run: Run, keep: str | None) -> None:
    """Bring what happened offline to the operator, and fetch what the next time needs. Safe to repeat."""
    with run.online() as me:
        with run.screen().waiting("Meeting the operator") as progress:
            currency = online.learn_currency(me)
            wanted = None if keep is None else read_amount(keep, currency)
            done = sync.sync(me, keep=wanted, phone_name=phone_name(), progress=progress)
        run.screen().show(
            done, lambda console, item: show_online.synced(console, item, currency=currency), currency=currency
        )
