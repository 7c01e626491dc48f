"""Share out the money of one voucher when it closes: a pure function over the set of payments that touch it.

If the first claim to arrive won, a cheat's accomplice who syncs first would always beat the shop that is offline. So
nothing here knows an arrival: the set of valid payments, who owns which key, what is left of each cover budget and what
each double spender still owns go in; whole minor units per key come out. It is computed on ranges of units, so that a
voucher of a million costs no more than one of ten.
Rule: protocol/spec/05-close.md; design of offline money, section 7.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

from tikicash.holders import Account, Holders, changes, sweep
from tikicash.messages import Signed, Voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseInput:
    """All that may decide a close. Amounts in minor units; key ids of 16 bytes; absent entries count as zero."""

    voucher: Signed[Voucher]
    documents: tuple[Signed[Any], ...]  # valid (check_chain) and in time, with everything below them
    refused: frozenset[bytes]  # 32-byte ids of payments that their payee refused in time
    operator: frozenset[bytes]  # key ids: a payment to one of them is a hand-back
    account_of: Mapping[bytes, Account]  # a key without an account owns itself, and its share waits
    budgets: Mapping[bytes, int] = field(default_factory=dict)  # B: what is left of the cover budget of each payee key
    own: Mapping[Account, int] = field(default_factory=dict)  # online money of each account less all its open advances
    guarantees: Mapping[Account, int] = field(default_factory=dict)  # G: what is left of the guarantee per account
    advanced: Mapping[Account, int] = field(default_factory=dict)  # released early on this very voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one key gets of a voucher, and why. Minor units."""

    home: int = 0  # never handed on: back to the voucher's own key
    sole: int = 0  # nobody else competes for it
    shared: int = 0  # its part of units that were spent twice, made whole as far as the pots go
    top: int = 0  # what the operator's cover adds; it uses up this much of the key's budget
    claimed: int = 0  # units of which this key is a kept payee, handed back included

    @property
    def total(self) -> int:
        """Everything that is paid for this key."""
        return self.home + self.sole + self.shared + self.top


@dataclass(frozen=True, slots=True, kw_only=True)
class Liability:
    """What one account double spent on this voucher, and out of what it was made good. Minor units."""

    owed: int  # D: units times how often once too often
    from_shares: int  # out of its own undisputed shares of this voucher
    from_online: int  # out of its online balance
    from_guarantee: int  # out of the guarantee that the operator gives for it

    @property
    def used(self) -> int:
        """What was made good of what was owed."""
        return self.from_shares + self.from_online + self.from_guarantee


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The result: shares by key, payouts by account, liabilities by account. Sums hold to the unit (see `settle`)."""

    shares: Mapping[bytes, Share]
    payouts: Mapping[Account, int]  # what leaves the escrow for each account; never below one
    debts: Mapping[Account, int]  # advances on this voucher beyond what its shares are worth
    liabilities: Mapping[Account, Liability]
    from_operator: int  # guarantees used, covers and debts: what the operator adds to the escrow


def settle(close: CloseInput) -> Close:
    """Return what to pay to whom.

    For every input: the sum of payouts = units of the voucher - sum of advances + sum of `from_online` +
    `from_operator`. Depends on the set of documents only, never on their order. No error: the input is valid.
    """
    found = changes(close.voucher, close.documents, refused=close.refused, operator=close.operator)
    owner = partial(account_of, close)
    holders = sweep(close.voucher.body, found, account_of=owner)
    liabilities = _liabilities(close, holders)
    shared: dict[bytes, int] = {}
    if liabilities:
        # Which part of a debt is paid is known only when all of it is added up, so the units are swept once more.
        made_good = {account: Fraction(item.used, item.owed) for account, item in liabilities.items()}
        shared = _round(sweep(close.voucher.body, found, account_of=owner, made_good=made_good).exact)
    shares = {}
    for key in sorted({*holders.home, *holders.sole, *shared}):
        home, sole, claimed = (part.get(key, 0) for part in (holders.home, holders.sole, holders.claimed))
        have = sole + shared.get(key, 0)
        top = _top(close, key, claimed=claimed, have=have)
        shares[key] = Share(home=home, sole=sole, shared=shared.get(key, 0), top=top, claimed=claimed)
    return _pay(close, shares=shares, liabilities=liabilities)


def account_of(close: CloseInput, key: bytes) -> Account:
    """Return the account that owns a key; a key that nobody registered owns itself."""
    return close.account_of.get(key, key)


def _liabilities(close: CloseInput, holders: Holders) -> dict[Account, Liability]:
    """Return what each double spender owes, and how much of it the pots give, in their order."""
    undisputed: dict[Account, int] = defaultdict(int)
    for amounts in (holders.home, holders.sole):
        for key, amount in amounts.items():
            undisputed[account_of(close, key)] += amount
    found = {}
    for account, owed in holders.owed.items():
        left = owed
        taken = []
        for pot in (undisputed.get(account, 0), close.own.get(account, 0), close.guarantees.get(account, 0)):
            taken.append(min(left, max(0, pot)))
            left -= taken[-1]
        found[account] = Liability(owed=owed, from_shares=taken[0], from_online=taken[1], from_guarantee=taken[2])
    return found


def _round(exact: Mapping[bytes, Fraction]) -> dict[bytes, int]:
    """Round down, then give the units left to the largest remainders, ties by key. The sum is a whole number."""
    rounded = {key: int(value) for key, value in exact.items()}
    left = sum(exact.values(), Fraction()) - sum(rounded.values())
    assert left.denominator == 1, left
    for key in sorted(exact, key=lambda key: (rounded[key] - exact[key], key))[: int(left)]:
        rounded[key] += 1
    return rounded


def _top(close: CloseInput, key: bytes, *, claimed: int, have: int) -> int:
    promised = min(close.voucher.body.cover, claimed)
    return min(max(0, close.budgets.get(key, 0)), max(0, promised - have))


def _pay(close: CloseInput, *, shares: Mapping[bytes, Share], liabilities: Mapping[Account, Liability]) -> Close:
    """Add up by account: shares, less what a double spender owes out of them, less what was advanced."""
    worth: dict[Account, int] = defaultdict(int)
    for key, share in shares.items():
        worth[account_of(close, key)] += share.total
    for account, liability in liabilities.items():
        worth[account] -= liability.from_shares
    for account, amount in close.advanced.items():
        worth[account] -= amount
    debts = {account: -amount for account, amount in worth.items() if amount < 0}
    tops = sum(share.top for share in shares.values())
    guarantees = sum(liability.from_guarantee for liability in liabilities.values())
    return Close(
        shares=shares,
        payouts={account: amount for account, amount in worth.items() if amount > 0},
        debts=debts,
        liabilities=liabilities,
        from_operator=tops + guarantees + sum(debts.values()),
    )
