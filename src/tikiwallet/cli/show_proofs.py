"""How a proof of a double spend looks: who, how much, and which two payments."""

from pathlib import Path

from rich.console import Console

from tikiwallet.cli.proofs import Convincing
from tikiwallet.cli.show import code, done, facts, money, warn, when


def convincing(console: Console, item: Convincing) -> None:
    """Show what a proof proves."""
    is_named = not item.currency.isdecimal()
    amount = money(item.amount_minor, item.currency) if is_named else f"{item.amount_minor} minor units"
    who = f"{item.name}'s phone" if item.name else "A phone"
    done(console, f"This proof convinces. {who} signed the same {amount} to two people.")
    rows = [("phone", item.key_id), ("name", item.name or "not in the proof; the operator knows whose phone it is")]
    for number, payment in enumerate(item.payments, start=1):
        rows.append(
            (f"payment {number}", f"{payment.payment_id} of {when(payment.paid_at)}, to the phone {payment.payee_id}")
        )
    facts(console, [*rows, ("money issued", when(item.issued_at)), ("network", str(item.network_id))])


def made(console: Console, items: list[Convincing], *, png: Path | None) -> None:
    """Show proofs that were made, each with its code."""
    for item in items:
        convincing(console, item)
        if png is not None and item.picture is None:
            warn(console, "This proof is too large for a picture; its text is below.")
        picture = Path(item.picture) if item.picture else None
        code(console, item.code, png=picture, caption="Anybody can check it with tiki verify-proof.")
