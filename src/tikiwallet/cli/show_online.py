"""How the server's answers look in a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tikiwallet.cli.answers import (
    Device,
    HistoryPage,
    MoneyRequest,
    Operation,
    Person,
    PhoneMoney,
    PublicPerson,
    Receipt,
)
from tikiwallet.cli.lost_phone import Lost
from tikiwallet.cli.screen import marked, sentence
from tikiwallet.cli.show import done, facts, locked, money, money_lines, waiting, warn, when
from tikiwallet.cli.status import Status
from tikiwallet.cli.sync import Loaded, Synced

BLOCKED = {"retired": "retired", "spent_twice": "blocked: the same money paid twice"}
MOVEMENTS = {
    "top_up": "topped up",
    "withdrawal": "withdrawn",
    "load": "loaded offline",
    "release": "back from offline",
    "settlement": "settled offline money",
}


def person(console: Console, item: Person) -> None:
    """Show who is signed in."""
    facts(console, [("username", item.username), ("phone", item.phone), ("tier", item.tier)])


def receipt(console: Console, item: Receipt) -> None:
    """Show an online payment."""
    amount = money(item.amount.amount_minor, item.amount.currency)
    done(
        console, f"Paid {amount} to {item.payee.username} ({item.payee.phone_masked}).",
        *([f"Note: {item.memo}"] if item.memo else []), f"{when(item.sent_at)} · {item.transfer_id}",
    )  # fmt: skip


def operation(console: Console, item: Operation) -> None:
    """Show a top-up or withdrawal and where it stands."""
    demo = ("Demonstration bank: no real money moves.",) if item.is_demo else ()
    amount = money(item.amount.amount_minor, item.amount.currency)
    if item.state == "settled":
        done(console, f"{amount}: {item.sentence}", *demo)
        return
    link = (f"Go here: {item.go_to_url}",) if item.go_to_url else ()
    waiting(console, f"{amount}: {item.sentence}", *link, *demo)


def money_request(console: Console, item: MoneyRequest) -> None:
    """Show one request for money."""
    amount = money(item.amount.amount_minor, item.amount.currency)
    sentences = {
        "open": f"{item.payer.username} is asked for {amount}, until {when(item.expires_at)}.",
        "accepted": f"{amount} to {item.payee.username} is being moved.",
        "paid": f"{item.payer.username} paid {amount} to {item.payee.username}.",
        "declined": f"{item.payer.username} declined to pay {amount}.",
        "cancelled": f"The request for {amount} was taken back.",
        "expired": f"The request for {amount} is too old.",
    }
    done(console, sentences.get(item.state, f"{amount}: {item.state}"), item.request_id)


def money_requests(console: Console, items: list[MoneyRequest], *, me: str) -> None:
    """Show requests for money."""
    if not items:
        console.print("Nobody asked you for money, and you asked nobody.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("id", "amount", "who", "state", "note"):
        table.add_column(name, justify="right" if name == "amount" else "left", overflow="fold")
    for item in items:
        mine = item.payee.username == me
        who = f"you ask {item.payer.username}" if mine else f"{item.payee.username} asks you"
        amount = money(item.amount.amount_minor, item.amount.currency)
        table.add_row(Text(item.request_id[:8], "dim"), amount, Text(who), Text(item.state), Text(item.memo))
    console.print(table)
    console.print(sentence("Answer one: `tiki requests pay ID`, or `decline ID`", "dim"))


def history(console: Console, page: HistoryPage) -> None:
    """Show movements of the online balance."""
    if not page.items:
        console.print("Nothing has moved yet.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("when", style="dim", no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("what")
    table.add_column("balance", justify="right", style="dim", no_wrap=True)
    for item in page.items:
        other = item.counterparty.username if isinstance(item.counterparty, PublicPerson) else item.counterparty
        sign = "-" if item.direction == "out" else "+"
        note = f" · {item.memo}" if item.memo else ""
        table.add_row(
            when(item.at), Text(f"{sign}{money(item.amount.amount_minor, item.amount.currency)}"),
            Text(f"{_movement(item.kind, item.direction, other)}{note}"),
            money(item.balance.amount_minor, item.balance.currency),
        )  # fmt: skip
    console.print(table)
    if page.next_cursor:
        console.print(Text(f"Older: tiki history --cursor {page.next_cursor}", "dim"))


def _movement(kind: str, direction: str, other: str) -> str:
    """Return what a movement was, in words; a kind that this version doesn't know is shown as it is."""
    sides = {"payment": f"paid {other}" if direction == "out" else f"from {other}"}
    return sides.get(kind) or MOVEMENTS.get(kind) or f"{kind.replace('_', ' ')} {other}"


def loaded(console: Console, item: Loaded) -> None:
    """Show a loading and what came of it."""
    amount = money(item.loading.amount.amount_minor, item.loading.amount.currency)
    if item.loaded_minor and item.loading.locked_to and item.loading.spend_by is not None:
        done(
            console, f"{amount} is on this phone now, only for {item.loading.locked_to}'s phone.",
            f"Pay it there until {when(item.loading.spend_by)}; what is left comes home.",
        )  # fmt: skip
    elif item.loaded_minor:
        done(console, f"{amount} is on this phone now, ready to pay with no network.")
    elif item.loading.state == "refused":
        warn(console, item.loading.detail, item.loading.code or "")
    else:
        waiting(console, f"{amount} is on its way to this phone.", "Run `tiki sync` to fetch it.")


def synced(console: Console, item: Synced, *, currency: str) -> None:
    """Show what a sync did."""
    brought = item.recorded + item.known
    what = f"{brought} brought." if brought else "Nothing had to be brought."
    known = f" It knew {item.known} of them already." if item.known else ""
    done(console, f"In step with the operator. {what}{known}")
    if item.loaded_minor:
        done(console, f"{money(item.loaded_minor, currency)} more is on this phone now.")
    if item.loading is not None and item.loading.state == "refused":
        warn(console, item.loading.detail, item.loading.code or "")
    for rejection in item.rejected:
        warn(console, f"{rejection.payment_id[:8]}: {rejection.detail}", rejection.code)
    money_lines(console, item.money.lines)


def phones(console: Console, items: list[Device], *, this: str) -> None:
    """Show my phones."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("id", "name", "state", "since"):
        table.add_column(name)
    for item in items:
        state = "this phone" if item.device_id == this else "in use"
        state += ", only receives" if item.receive_only else ""
        if item.blocked is not None:
            state = BLOCKED.get(item.blocked.reason, "blocked")
        since = item.blocked.blocked_at if item.blocked is not None else item.registered_at
        table.add_row(Text(item.device_id[:8], "dim"), Text(item.name), Text(state), when(since))
    console.print(table if items else "No phone is registered: run tiki sync.")
    if items:
        console.print(sentence("What is on one, and what to do if it is gone: `tiki phones show ID`, `lost ID`", "dim"))


def phone_money(console: Console, item: PhoneMoney) -> None:
    """Show what is on one phone, and what whoever has it can still do."""
    console.print(Text(item.name, "bold"))
    for told in item.sentences:
        console.print(marked("·", "", sentence(told)))
    money_lines(console, item.lines)


def lost(console: Console, item: Lost) -> None:
    """Show that a lost phone is blocked, and what becomes of its money."""
    done(console, f"{item.phone.name} is blocked: nothing new comes onto it.")
    ended = "Nobody else was signed in." if not item.ended else f"Every other sign-in has ended ({item.ended})."
    console.print(marked(" ", "", Text(ended, "dim")))
    phone_money(console, item.phone)


def status(console: Console, item: Status) -> None:
    """Show what this wallet is and how it stands."""
    facts(
        console,
        [
            ("folder", item.folder),
            ("server", item.server or "-"),
            ("person", item.username or "nobody yet"),
            ("signed in", f"until {when(item.signed_in_until)}" if item.signed_in_until else "no"),
            ("key", item.key),
            ("operator heard", when(item.newest_signed_time) if item.newest_signed_time else "never"),
            ("blocked phones", _list_age(item)),
            ("to bring", f"{item.local.unbrought}"),
            *(
                [("offline", money(item.local.spendable_minor, item.currency)), *locked(item.local, item.currency)]
                if item.currency
                else []
            ),
            *(
                ("coming home", f"{money(home.amount_minor, item.currency)} by {when(home.claim_by)}")
                for home in item.local.coming_home
            ),
        ],
    )  # fmt: skip


def _list_age(item: Status) -> str:
    """Return how old the list of blocked phones is, and what that means for whoever is paid."""
    if item.list_signed_at is None or item.protected_until_at is None:
        return "no list yet, so what you are paid offline is at your own risk: run tiki sync"
    if item.is_list_stale:
        return (
            f"list of {when(item.list_signed_at)}, older than 72 hours, so what you are paid offline is at your own "
            "risk: run tiki sync"
        )
    until = when(item.protected_until_at)
    return f"list of {when(item.list_signed_at)}; offline payments can be protected until {until}"
