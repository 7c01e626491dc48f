"""Compare our books with what the provider and the bank say, entry by entry, and what we owe with what is held.

The books can be right in themselves and still be wrong about the world: a charge that was never credited, a transfer
that was booked and never made. Nothing here repairs: a person reads it every day and finds it empty.

An entry has a subject, an operation or a dispute, and both sides are summed for each subject: how many steps a provider
needs for it doesn't matter. Both sides are read from long before the period, because what happens at midnight is told
by the one a day before the other.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from tikiwallet.funding.books import bank_account_id
from tikiwallet.ledger.types import STATEMENT_PAGE_MAX, Ledger
from tikiwallet.platform.money import Balance

MARGIN: Final = timedelta(days=30)  # read before the period, for what is told there by one side only
BY_AMOUNT: Final = timedelta(days=7)  # how long after a payout the bank may show it
AGES_DAYS: Final = (1, 3, 7, 30)  # the ends of the classes of age
# Of the provider's entries, those that are the operator's own business and nobody's operation.
OWN_KINDS: Final = frozenset({"stripe_fee", "topup", "topup_reversal", "contribution", "network_cost", "tax_fee"})
PAYOUT_KINDS: Final = frozenset({"payout", "payout_cancel", "payout_failure"})  # from the provider to our own bank


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement as one side tells it: above zero came in from outside, below zero went out."""

    entry_id: str
    subject: str  # "operation <id>", "dispute <id>", "payout <id>"; empty: none that we know
    kind: str
    amount_minor: int
    fee_minor: int = 0  # what the provider kept of it: the operator's cost, no person's money
    currency: str
    at: datetime


class Finding(StrEnum):
    """What comparing the two sides of a subject led to."""

    MATCHED = "matched"
    UNDERWAY = "underway"  # the sides differ, and we know that it isn't finished
    MISSING_HERE = "missing_here"  # the world has moved money that our books know nothing of
    MISSING_THERE = "missing_there"  # our books have moved money and the world hasn't
    DIFFERENT = "different"
    OWN = "own"  # the operator's own money: fees, payouts to its bank


WRONG: Final = frozenset({Finding.MISSING_HERE, Finding.MISSING_THERE, Finding.DIFFERENT})


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One subject, both sides summed."""

    subject: str
    currency: str
    finding: Finding
    here_minor: int
    there_minor: int
    newest_at: datetime
    age_days: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Safeguarding in one currency: what people are owed against what is held for them."""

    currency: str
    owed_minor: int
    provider_minor: int
    bank_minor: int

    @property
    def spare_minor(self) -> int:
        """What is held beyond what is owed; below zero: people's money is missing."""
        return self.provider_minor + self.bank_minor - self.owed_minor


class BankReconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was compared, as of one moment."""

    as_of: datetime
    since: datetime
    lines: tuple[Line, ...]  # those that are wrong first, the oldest of them first
    held: tuple[Held, ...]
    fees: tuple[Balance, ...]  # what the provider kept

    @property
    def wrong(self) -> list[Line]:
        """What a person has to look at."""
        return [line for line in self.lines if line.finding in WRONG]

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong and nobody's money is missing."""
        return not self.wrong and all(item.spare_minor >= 0 for item in self.held)


class Provider(Protocol):
    """What a provider has to be able to tell. The demo bank moves nothing, so it has nothing to tell."""

    async def entries(self, *, since: datetime) -> list[Entry]:
        """Return every movement of its account since then."""
        ...

    async def held(self) -> list[Balance]:
        """Return what stands in its account now, also what can't be taken out yet."""
        ...


def compare(
    here: Iterable[Entry],
    there: Iterable[Entry],
    *,
    underway: Collection[str],
    since: datetime,
    now: datetime,
) -> list[Line]:
    """Return a line for each subject that was touched since then; those that are wrong first, the oldest first."""
    sides: dict[tuple[str, str], list[list[Entry]]] = {}
    for side, entries in enumerate((here, there)):
        for entry in entries:
            key = (entry.subject or entry.entry_id, entry.currency)
            sides.setdefault(key, [[], []])[side].append(entry)
    lines = [
        _line(subject, currency, ours, theirs, is_underway=subject in underway, now=now)
        for (subject, currency), (ours, theirs) in sides.items()
    ]
    touched = [line for line in lines if line.newest_at >= since]
    return sorted(touched, key=lambda line: (line.finding not in WRONG, line.newest_at, line.subject, line.currency))


def _line(
    subject: str, currency: str, ours: Sequence[Entry], theirs: Sequence[Entry], *, is_underway: bool, now: datetime
) -> Line:
    here_minor, there_minor = sum(each.amount_minor for each in ours), sum(each.amount_minor for each in theirs)
    newest_at = max(each.at for each in (*ours, *theirs))
    if theirs and not ours and all(not each.subject and each.kind in OWN_KINDS for each in theirs):
        finding = Finding.OWN
    elif here_minor == there_minor:
        finding = Finding.MATCHED
    elif is_underway:
        finding = Finding.UNDERWAY
    elif here_minor == 0:
        finding = Finding.MISSING_HERE
    elif there_minor == 0:
        finding = Finding.MISSING_THERE
    else:
        finding = Finding.DIFFERENT
    return Line(
        subject=subject,
        currency=currency,
        finding=finding,
        here_minor=here_minor,
        there_minor=there_minor,
        newest_at=newest_at,
        age_days=max(0, (now - newest_at).days),
    )


def arrivals(payouts: Iterable[Entry], bank: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return what should have arrived at our bank, and what has, both told by payout.

    A bank often shortens the reference, so a line that names no payout stands for the one of this amount shortly
    before, if there is one only.
    """
    sent = [
        msgspec.structs.replace(each, subject=f"payout {each.subject.removeprefix('payout ')}",
                                amount_minor=-each.amount_minor)
        for each in payouts
    ]  # fmt: skip
    named = {each.subject for each in bank}
    arrived = []
    for line in bank:
        if line.subject:
            arrived.append(line)
            continue
        fitting = {
            each.subject
            for each in sent
            if each.subject not in named
            and (each.amount_minor, each.currency) == (line.amount_minor, line.currency)
            and each.at - timedelta(days=1) <= line.at <= each.at + BY_AMOUNT
        }
        subject = fitting.pop() if len(fitting) == 1 else ""
        named.add(subject)
        arrived.append(msgspec.structs.replace(line, subject=subject))
    return sent, arrived


async def booked(ledger: Ledger, currency: str, *, since: datetime) -> list[Entry]:
    """Return what our books say came from outside or went there, since then."""
    found: list[Entry] = []
    cursor: int | None = None
    while True:
        page = await ledger.statement(bank_account_id(currency), before_posting_no=cursor, since=since)
        found += [
            Entry(
                entry_id=f"{posting.transfer_id}",
                subject=posting.note,
                kind=posting.kind.value,
                amount_minor=-posting.amount_minor,  # what leaves the account of the world outside comes to us
                currency=currency,
                at=posting.posted_at,
            )
            for posting in page
        ]
        if len(page) < STATEMENT_PAGE_MAX:
            return found
        cursor = page[-1].posting_no


async def reconcile_bank(
    ledger: Ledger,
    *,
    provider: Provider | None,
    bank: Sequence[Entry],
    bank_balances: Sequence[Balance],
    owed: Sequence[Balance],
    underway: Collection[str],
    since: datetime,
    now: datetime,
) -> BankReconciliation:
    """Compare everything since then. `bank` is our bank's statement, `owed` what people are owed by our books."""
    told = [] if provider is None else await provider.entries(since=since - MARGIN)
    payouts = [entry for entry in told if entry.kind in PAYOUT_KINDS]
    moved = [entry for entry in told if entry.kind not in PAYOUT_KINDS]
    by_operation = [entry for entry in bank if entry.subject.startswith("operation ")]
    others = [entry for entry in bank if not entry.subject.startswith("operation ")]
    here: list[Entry] = []
    for balance in owed:
        here += await booked(ledger, balance.currency, since=since - MARGIN)
    lines = compare(here, [*moved, *by_operation], underway=underway, since=since, now=now)
    if bank:
        sent, arrived = arrivals(payouts, others)
        lines += compare(sent, arrived, underway=(), since=since, now=now)
    held = [] if provider is None else await provider.held()
    return BankReconciliation(
        as_of=now,
        since=since,
        lines=tuple(sorted(lines, key=lambda line: (line.finding not in WRONG, line.newest_at))),
        held=tuple(
            Held(
                currency=balance.currency,
                owed_minor=balance.amount_minor,
                provider_minor=_of(held, balance.currency),
                bank_minor=_of(bank_balances, balance.currency),
            )
            for balance in owed
        ),
        fees=tuple(
            Balance(amount_minor=sum(each.fee_minor for each in told if each.currency == balance.currency),
                    currency=balance.currency)
            for balance in owed
        ),
    )  # fmt: skip


def _of(balances: Sequence[Balance], currency: str) -> int:
    return sum(balance.amount_minor for balance in balances if balance.currency == currency)
