"""How results look in a terminal: calm, and the one thing that matters largest.

People read this at a counter, so the amount and the verdict come first, dates are whole sentences, and nothing needs a
wide window. Works in 60 columns.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tikiwallet.cli import codes
from tikiwallet.cli.answers import MoneyLine
from tikiwallet.cli.local import BalanceShown, Entry, Local
from tikiwallet.cli.locked import Locked
from tikiwallet.cli.made_payments import Made
from tikiwallet.cli.paying import Asked
from tikiwallet.cli.receiving import MyRequest, Received, Refused
from tikiwallet.cli.refunding import Refundable
from tikiwallet.cli.screen import marked, sentence
from tikiwallet.platform.money import format_decimal

MONEY_LINES_SHOWN: Final = 12

STATES = {
    "open": "waiting for a payment",
    "waiting": "not yet with the operator",
    "received": "the payee has it",
    "refused": "refused",
    "not_taken": "not taken; comes home by its date",
    "settled": "with the operator",
    "rejected": "not counted by the operator",
}
KINDS = {
    "request": "asked for",
    "made": "paid",
    "hand_back": "handed back",
    "received": "received",
    "refused": "refused",
}


def money(amount_minor: int, currency: str) -> str:
    """Return an amount as people read it: "12.50 SGD"."""
    return f"{format_decimal(amount_minor, currency)} {currency}"


def when(instant: int | datetime) -> str:
    """Return a moment in the reader's own time zone, to the minute: "3 Dec 2026, 14:05"."""
    at = datetime.fromtimestamp(instant, UTC) if isinstance(instant, int) else instant
    local = at.astimezone()
    return f"{local.day} {local:%b %Y, %H:%M}"


def code(console: Console, text: str, *, png: Path | None, caption: str) -> None:
    """Show a code: as a picture file, or as half blocks with its text below for a terminal that is no camera's."""
    if png is not None:
        console.print(Text(f"{caption} The code is in {png}."), soft_wrap=True)
        return
    console.print(Text(caption))
    console.print()
    if len(text) > codes.QR_CHARACTERS_MAX:
        console.print(Text(text, "dim"), soft_wrap=True)
        return
    lines = codes.half_blocks(text)
    if len(lines[0]) <= console.width:
        # Dark on light whatever the terminal's colours are: cameras want a light ground.
        for line in lines:
            console.print(Text(line, "black on bright_white" if console.is_terminal else ""), no_wrap=True, crop=False)
    else:
        console.print(
            Text(
                f"The picture of this code is {len(lines[0])} columns wide and this window has {console.width}: "
                "make the window wider, or save it with --png FILE.",
                "yellow",
            )
        )
    console.print()
    console.print(Text(text, "dim"), soft_wrap=True)


def done(console: Console, told: str, *more: str) -> None:
    """Show that something worked, in one sentence, with details below. Commands stand `between these`."""
    console.print(marked("✓", "bold green", sentence(told)))
    for line in more:
        console.print(marked(" ", "", sentence(line, "dim")))


def waiting(console: Console, told: str, *more: str) -> None:
    """Show that something is still on its way."""
    console.print(marked("…", "bold yellow", sentence(told)))
    for line in more:
        console.print(marked(" ", "", sentence(line, "dim")))


def warn(console: Console, told: str, code: str = "") -> None:
    """Show what the person should look at."""
    console.print(marked("!", "bold yellow", sentence(told, "yellow")))
    if code:
        console.print(marked(" ", "", Text(code, "dim")))


def facts(console: Console, rows: list[tuple[str, str]]) -> None:
    """Show names and values in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for name, value in rows:
        table.add_row(name, Text(value))
    console.print(table)


def payee(item: Asked) -> str:
    """Return whom a request is to be paid to, and that the operator didn't certify the name where that is so."""
    return item.name if item.name_is_verified else f"{item.name} (a name the operator didn't certify)"


def asked(console: Console, item: Asked, currency: str) -> None:
    """Show whom and how much a request asks for, before the payer says yes."""
    whose = "" if item.name_is_verified else "  (a name the operator didn't certify)"
    console.print(
        Panel(
            Group(
                Text(money(item.request.body.amount, currency), "bold"),
                Text("to ").append(item.name, "bold").append(whose, "yellow"),
            ),
            title="Pay offline",
            title_align="left",
            expand=False,
            padding=(0, 2),
        )
    )


def my_request(console: Console, item: MyRequest, currency: str, png: Path | None) -> None:
    """Show a request of mine as a code."""
    code(
        console, item.code, png=png, caption=f"Let the payer scan this to pay you {money(item.amount_minor, currency)}."
    )


def made(console: Console, item: Made, currency: str, png: Path | None) -> None:
    """Show a payment as a code, and what happens to it."""
    what, word = ("refund", "Given back") if item.refund_of else ("payment", "Paid")
    again = f"The same {what} as before" if item.shown_again else word
    payee = item.payee_name or "the payer"
    done(
        console, f"{again}: {money(item.amount_minor, currency)} to {payee}.",
        f"It counts when {payee} or you bring it to the operator by {when(item.claim_by)}.",
    )  # fmt: skip
    code(console, item.code, png=png, caption=f"Let {payee} scan this now.")


def refund_question(sale: Refundable, amount_minor: int, currency: str) -> str:
    """Return what to ask before something is given back: how much, to whom, and what went back before."""
    payer = sale.payer_name or "a phone without a certified name"
    before_minor = sum(item.amount_minor for item in sale.refunds)
    before = f" {money(before_minor, currency)} of it was given back before." if before_minor else ""
    return f"Give {money(amount_minor, currency)} of {money(sale.amount_minor, currency)} back to {payer}?{before}"


def verdict(console: Console, item: Received, currency: str) -> None:
    """Show how safe a payment is: the word first, then why and until when."""
    parts = [
        (item.final_minor, "FINAL", "green", "Yours for good once a copy is brought by the date below."),
        (item.protected_minor, "PROTECTED", "green", "Paid to you even if the payer spent this money twice."),
        (item.at_risk_minor, "AT YOUR RISK", "yellow", "Lost to you if the payer spent this money twice."),
    ]
    shown = [part for part in parts if part[0]]
    lines: list[Text] = []
    for amount_minor, word, style, why in shown:
        lines += [Text(f"{word}  {money(amount_minor, currency)}", f"bold {style}"), Text(why), Text("")]
    lines.append(sentence(f"Bring it to the operator by {when(item.claim_by)}: run `tiki sync`."))
    if item.is_claim_only:
        lines.append(Text("It is credited when you go online. This money went through too many hands to be paid on."))
    elif item.spend_by < item.claim_by and item.final_minor < item.amount_minor:  # final money isn't paid on
        lines.append(Text(f"You can pay with it offline until {when(item.spend_by)}."))
    worst = shown[-1][2]
    title = f"{money(item.amount_minor, currency)} from {item.payer_name or 'a phone without a certified name'}"
    if item.sale is not None:
        payee = item.sale.payee_name or item.payer_name or "somebody"
        title = f"Refund of {money(item.amount_minor, currency)} that you paid to {payee} on {when(item.sale.made_at)}"
    console.print(Panel(Group(*lines), title=Text(title), title_align="left", border_style=worst, padding=(1, 2)))
    if item.memo:
        console.print(Text(f"Note: {item.memo}"))


def received(console: Console, item: Received, currency: str, png: Path | None) -> None:
    """Show an accepted payment and its receipt as a code."""
    again = "You have this payment already" if item.shown_again else "Stored"
    what = "" if item.sale is None else ", a refund"
    done(console, f"{again}: {money(item.amount_minor, currency)}{what}.")
    code(console, item.receipt_code, png=png, caption="Let the payer scan your receipt.")


def refused(console: Console, item: Refused, currency: str, png: Path | None) -> None:
    """Show a refusal as a code."""
    done(console, f"Refused: {money(item.amount_minor, currency)} ({item.reason}). You claim nothing from it.")
    code(console, item.code, png=png, caption="Let the payer scan your refusal.")


def answered(console: Console, item: Made, currency: str) -> None:
    """Show what the payee said to a payment of mine."""
    amount = money(item.amount_minor, currency)
    if item.answer == "received":
        done(console, f"{item.payee_name} has your {amount}.")
    elif item.answer == "refused":
        done(console, f"{item.payee_name} refused your {amount}.", f"It comes home by {when(item.claim_by)}.")
    else:
        done(console, f"Noted: your {amount} wasn't taken.", f"It comes home by {when(item.claim_by)}.")


def handed_back(console: Console, items: list[Made], currency: str) -> None:
    """Show what was handed back to the operator."""
    total = money(sum(item.amount_minor for item in items), currency)
    done(
        console, f"{total} is signed back to the operator.", "Run `tiki sync` to complete it.",
        f"If you don't, it comes home by {when(max(item.claim_by for item in items))}.",
    )  # fmt: skip


def entries(console: Console, items: list[Entry], currency: str) -> None:
    """Show everything stored with no network."""
    if not items:
        console.print("Nothing was paid or received offline yet.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("id", style="dim", no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("what")
    table.add_column("state")
    for item in items:
        table.add_row(
            item.id[:8], money(item.amount_minor, currency), Text(_what(item, currency)),
            Text(STATES[item.state], "yellow" if item.state in {"waiting", "rejected"} else ""),
        )  # fmt: skip
    console.print(table)
    console.print(sentence("Show a code again: `tiki offline show ID`", "dim"))


def _what(item: Entry, currency: str) -> str:
    """Return what an entry is, for people: who, the note, and what it has to do with a refund."""
    name = item.who or "somebody"
    what = KINDS[item.kind]
    if item.refund_of:
        what = f"gave back to {name}" if item.kind == "made" else f"refund from {name}"
    elif item.kind in {"made", "received"}:
        what = f"paid {name}" if item.kind == "made" else f"received from {name}"
    more = [item.memo] if item.memo else []
    more += [f"of {item.refund_of[:8]}"] if item.refund_of else []
    more += [f"{money(item.given_back_minor, currency)} of it given back"] if item.given_back_minor else []
    return " · ".join([what, *more])


def balance(console: Console, item: BalanceShown) -> None:
    """Show all money, and since when it is known."""
    ready = f"{money(item.local.spendable_minor, item.currency)}  ready to pay with no network"
    claimed_minor = sum(x.amount_minor for x in (*item.view.final, *item.view.provisional)) if item.view else 0
    if item.local.received_minor and claimed_minor:
        ready += f"; {money(item.local.received_minor, item.currency)} of it received, and counted below as well"
    rows = [("offline", ready), *locked(item.local, item.currency)]
    if item.view is not None:
        rows = [("online", ", ".join(money(x.amount_minor, x.currency) for x in item.view.online) or "-"), *rows]
        named = [
            ("final", item.view.final, "received, yours by its date"),
            ("provisional", item.view.provisional, "received, counted when its vouchers close"),
            ("underway", item.view.underway, "comes home or is paid by a date"),
        ]
        rows += [
            (name, f"{money(entry.amount_minor, entry.currency)}  {why}")
            for name, listed, why in named
            for entry in listed
            if entry.amount_minor
        ]
    facts(console, rows)
    if item.view is not None:
        money_lines(console, item.view.lines)
    _local_lines(console, item.local, item.currency)
    if not item.is_fresh and item.view is not None:
        warn(console, f"The online part is as of {when(item.view.as_of)}.")
    elif not item.is_fresh:
        warn(console, "The online part isn't known here yet: run `tiki login`, then `tiki sync`.")


def locked(item: Local, currency: str) -> list[tuple[str, str]]:
    """Return a row for all money that only one phone may be paid with."""
    return [
        (
            "locked",
            f"{money(one.amount_minor, currency)}  only for {whose(one)}, until {when(one.spend_by)}",
        )
        for one in item.locked
    ]


def whose(item: Locked) -> str:
    """Return what to call the phone that money is locked to."""
    return f"{item.payee_name}'s phone" if item.payee_name else f"the phone with the key {item.payee_key_id[:8]}"


def money_lines(console: Console, lines: list[MoneyLine]) -> None:
    """Show what happens to money on its way, and when; each line begins with its amount."""
    for line in lines[:MONEY_LINES_SHOWN]:
        amount = money(line.amount.amount_minor, line.amount.currency)
        told = line.sentence if amount in line.sentence else f"{amount}: {line.sentence}"
        console.print(marked("·", "dim", Text(told, "dim")))
    if len(lines) > MONEY_LINES_SHOWN:
        console.print(marked("·", "dim", Text(f"{len(lines) - MONEY_LINES_SHOWN} more: see all with --json.", "dim")))


def _local_lines(console: Console, item: Local, currency: str) -> None:
    if item.kept_minor:
        kept = money(item.kept_minor, currency)
        console.print(sentence(f"{kept} that this phone was paid stays with you: it is credited once brought.", "dim"))
    if item.resting_minor:
        warn(console, f"{money(item.resting_minor, currency)} can't be paid with any more: run `tiki sync`.")
    if item.unbrought:
        what = "1 payment is" if item.unbrought == 1 else f"{item.unbrought} payments are"
        warn(console, f"{what} not with the operator yet: run `tiki sync`.")
    for home in item.coming_home:
        console.print(
            Text(f"{money(home.amount_minor, currency)} of a retired key comes home by {when(home.claim_by)}.", "dim")
        )
