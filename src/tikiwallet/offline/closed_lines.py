"""What became of vouchers that closed: who got what of them and why, told for a while after the money arrived.

A balance that changed overnight and says nothing makes people think that money is missing. The lines here say what
came home, what was received, what somebody else claimed too, what had been released before, and what is owed back.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec

from tikiwallet.identity.types import PersonId
from tikiwallet.offline.money_lines import Line
from tikiwallet.offline.queries import SQL
from tikiwallet.platform.db import Connection
from tikiwallet.platform.money import Balance, format_decimal

SHOWN_SECONDS: Final = 30 * 24 * 3600  # after the close
SHOWN_MAX: Final = 100


class ClosedLines(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of closed vouchers, and how much of their money is still on its way to the wallet, in minor units."""

    lines: tuple[Line, ...]
    waiting_minor: int


async def read_closed_lines(
    connection: Connection, person_id: PersonId, *, currency: str, now: datetime
) -> ClosedLines:
    """Return what closes brought one person lately, newest first, and what the person owes back."""
    since = now - timedelta(seconds=SHOWN_SECONDS)
    rows = await connection.fetch(SQL["closed_for_person"], person_id, since, SHOWN_MAX)
    lines = [_closed(row, currency) for row in rows]
    debt = await connection.fetchrow(SQL["newest_debt"], person_id)
    if debt is not None:
        lines.append(_debt(debt, currency))
    waiting_minor = await connection.fetchval(SQL["payouts_waiting_minor"], person_id)
    return ClosedLines(lines=tuple(lines), waiting_minor=waiting_minor)


def _closed(row: asyncpg.Record, currency: str) -> Line:
    is_waiting = row["waiting_minor"] > 0
    return Line(
        line="closed",
        title="Settled",
        amount=Balance(amount_minor=row["paid_minor"], currency=currency),
        state="on_its_way" if is_waiting else "paid",
        counterparty="",
        spend_by=None,
        claim_by=row["claim_until"],
        voucher_id=row["voucher_id"],
        payment_id=None,
        final=Balance(amount_minor=0, currency=currency),
        provisional=Balance(amount_minor=0, currency=currency),
        sentence=" ".join(_sentences(row, currency)),
    )


def _sentences(row: asyncpg.Record, currency: str) -> Iterable[str]:
    def text(name: str) -> str:
        return f"{format_decimal(row[name], currency)} {currency}"

    if row["home_minor"]:
        yield f"{text('home_minor')} of your offline money was never paid to anybody and came home."
    if row["received_minor"] < row["claimed_minor"]:
        yield (
            f"Of {text('claimed_minor')} that you were paid you got {text('received_minor')}: "
            "the payer spent the same money twice."
        )
    elif row["received_minor"]:
        yield f"{text('received_minor')} that you were paid is yours."
    if row["made_good_minor"]:
        yield f"{text('made_good_minor')} of your money went to people whom you paid with the same offline money."
    if row["is_notice"]:
        yield (
            "A phone of yours spent money twice, as a phone does that was restored from a copy. Nobody lost by it, so "
            "you may load again: the phone's old key stays blocked, and it makes a new one. A next time stops loading."
        )
    if row["released_minor"]:
        yield f"{text('released_minor')} had been released to you early."
    if row["debt_minor"]:
        yield f"That was {text('debt_minor')} too much, which you owe back."
    if row["waiting_minor"]:
        yield f"{text('waiting_minor')} waits until your wallet has room for it."


def _debt(row: asyncpg.Record, currency: str) -> Line:
    owed = Balance(amount_minor=row["debt_minor"], currency=currency)
    text = f"{format_decimal(owed.amount_minor, currency)} {currency}"
    zero = Balance(amount_minor=0, currency=currency)
    return Line(
        line="debt",
        title="Owed back",
        amount=owed,
        state="open",
        counterparty="",
        spend_by=None,
        claim_by=None,
        voucher_id=row["voucher_id"],
        payment_id=None,
        final=zero,
        provisional=zero,
        sentence=f"{text} that were released to you early are owed back; they are taken from what comes in next.",
    )
