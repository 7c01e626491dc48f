"""Share out the money of one voucher when it closes: a pure function over the set of payments that touch it.

If the first claim to arrive won, a cheat's accomplice who syncs first would always beat the shop that is offline. So
nothing here knows an arrival: the set of valid payments, who owns which key, what is left of each cover budget and what
each double spender still owns go in; whole minor units per key come out. It is computed on ranges of units, so that a
voucher of a million costs no more than one of ten.
Rule: protocol/spec/04-settlement.md, "the close"; design of offline money, section 7.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from typing import Any, TypeAlias

from tikicash.chain import is_payment, traces
from tikicash.messages import Signed, Voucher, key_id

Account: TypeAlias = Hashable  # whoever owns keys; only compared
Lineage: TypeAlias = tuple[bytes, ...]  # key ids: the voucher's, then every payee's


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseInput:
    """All that may decide a close. Amounts in minor units; key ids of 16 bytes; absent entries count as zero."""

    voucher: Signed[Voucher]
    documents: tuple[Signed[Any], ...]  # valid (check_chain) and in time, with everything below them
    refused: frozenset[bytes]  # 32-byte ids of payments that their payee refused in time
    operator: frozenset[bytes]  # key ids: a payment to one of them is a hand-back
    account_of: Mapping[bytes, Account]  # a key without an account owns itself, and its share waits
    budgets: Mapping[bytes, int] = field(default_factory=dict)  # B: what is left of the cover budget of each payee key
    own: Mapping[Account, int] = field(default_factory=dict)  # online money of each account less its open advances
    guarantees: Mapping[Account, int] = field(default_factory=dict)  # G: what is left of the guarantee per account
    advanced: Mapping[Account, int] = field(default_factory=dict)  # released early on this very voucher


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one key gets of a voucher, and why."""

    home: int = 0  # never handed on: back to the voucher's own key
    sole: int = 0  # nobody else claims it
    shared: int = 0  # its part of units that were spent twice, made whole as far as the pots go
    top: int = 0  # what the operator's cover adds
    claimed: int = 0  # units of which this key is a kept payee, handed back included

    @property
    def total(self) -> int:
        """Everything that is paid for this key."""
        return self.home + self.sole + self.shared + self.top


@dataclass(frozen=True, slots=True, kw_only=True)
class Liability:
    """What one account double spent on this voucher, and out of what it was made good."""

    owed: int  # D: units spent once too often
    from_shares: int  # out of its own shares of this voucher
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
    payouts: Mapping[Account, int]  # what leaves the escrow for each account; never below zero
    debts: Mapping[Account, int]  # advances on this voucher beyond what its shares are worth
    liabilities: Mapping[Account, Liability]
    from_operator: int  # guarantees used, covers and debts: what the operator adds to the escrow


@dataclass(frozen=True, slots=True)
class Stretch:
    """Units of the voucher on which the same payments meet."""

    count: int
    leaves: tuple[Lineage, ...]  # the kept ones
    double_spent: Mapping[Account, int]  # d: how often once too often, by the account of the bad nodes


def settle(close: CloseInput) -> Close:
    """Return what to pay to whom.

    For every input: the sum of payouts = units of the voucher - sum of advances + sum of `from_online` +
    `from_operator`. Depends on the set of documents only, never on their order. No error: the input is valid.
    """
    stretches = tuple(_stretches(close))
    home: dict[bytes, int] = defaultdict(int)
    sole: dict[bytes, int] = defaultdict(int)
    claimed: dict[bytes, int] = defaultdict(int)
    owed: dict[Account, int] = defaultdict(int)
    for stretch in stretches:
        for leaf in stretch.leaves:
            if len(leaf) > 1:
                claimed[leaf[-1]] += stretch.count
        if len(stretch.leaves) == 1:
            (leaf,) = stretch.leaves
            (home if len(leaf) == 1 else sole)[leaf[-1]] += stretch.count
        for account, times in stretch.double_spent.items():
            owed[account] += times * stretch.count
    liabilities = _liabilities(close, owed=owed, mine=_by_account(close, home, sole))
    shared = _round(_exact_shares(stretches, liabilities))
    keys = sorted({*home, *sole, *shared, *claimed})
    shares = {
        key: Share(
            home=home[key],
            sole=sole[key],
            shared=shared.get(key, 0),
            top=_top(close, key, claimed=claimed[key], have=sole[key] + shared.get(key, 0)),
            claimed=claimed[key],
        )
        for key in keys
    }
    return _pay(close, shares=shares, liabilities=liabilities)


def account_of(close: CloseInput, key: bytes) -> Account:
    """Return the account that owns a key; a key that nobody registered owns itself."""
    return close.account_of.get(key, key)


@dataclass(slots=True)
class _Node:
    """How the units of one stretch reached the last key of a lineage."""

    standing: int = 0  # documents that were not refused
    refused: int = 0
    handed_back: int = 0


_Event: TypeAlias = tuple[int, Lineage, str, int]  # at which unit, whose node, which counter, +1 or -1


def _stretches(close: CloseInput) -> Iterator[Stretch]:
    """Cut the voucher where any payment begins or ends, and judge each part once."""
    body = close.voucher.body
    active: dict[Lineage, _Node] = defaultdict(_Node)
    active[(key_id(body.key),)].standing = 1
    at = body.first
    for position, events in groupby(sorted(_events(close)), key=lambda event: event[0]):
        if position > at:
            yield _judge(close, active, count=position - at)
            at = position
        for _, lineage, counter, step in events:
            node = active[lineage]
            setattr(node, counter, getattr(node, counter) + step)
            if node == _Node():
                del active[lineage]
    if at < body.first + body.count:
        yield _judge(close, active, count=body.first + body.count - at)


def _events(close: CloseInput) -> Iterator[_Event]:
    # Each document once by its whole identity; a retry under a new nonce is another document of the same lineage.
    unique = {item.id: item for item in close.documents}
    pool = {item.short_id: item for item in (*unique.values(), close.voucher)}
    for payment in filter(is_payment, unique.values()):
        for way in traces(payment, pool):
            if way.voucher.id != close.voucher.id:
                continue
            lineage, counter = way.lineage, "refused" if payment.id in close.refused else "standing"
            if payment.body.payee_id in close.operator:
                lineage, counter = lineage[:-1], "handed_back"
            first, count = way.units
            yield first, lineage, counter, 1
            yield first + count, lineage, counter, -1


def _judge(close: CloseInput, active: Mapping[Lineage, _Node], *, count: int) -> Stretch:
    parents = {lineage[:-1] for lineage in active}
    nodes = {
        lineage
        for lineage, node in active.items()
        # A refusal takes back the refuser's own leaf; who handed the units on or back has taken them.
        if node.standing or lineage in parents or node.handed_back
    }
    children: dict[Lineage, list[Lineage]] = defaultdict(list)
    for lineage in sorted(nodes):
        if len(lineage) > 1:
            children[lineage[:-1]].append(lineage)
    leaves = [lineage for lineage in sorted(nodes) if lineage not in children]
    bad = {lineage for lineage, below in children.items() if len(below) > 1}
    kept = [leaf for leaf in leaves if not _owns_bad_node_above(close, leaf, bad)] or leaves
    double_spent: dict[Account, int] = defaultdict(int)
    for node in sorted(bad):
        alive = sum(1 for child in children[node] if any(leaf[: len(child)] == child for leaf in kept))
        if alive > 1:
            double_spent[account_of(close, node[-1])] += alive - 1
    assert sum(double_spent.values()) == len(kept) - 1, (kept, double_spent)
    return Stretch(count=count, leaves=tuple(kept), double_spent=double_spent)


def _owns_bad_node_above(close: CloseInput, leaf: Lineage, bad: set[Lineage]) -> bool:
    owner = account_of(close, leaf[-1])
    above = (leaf[:length] for length in range(1, len(leaf)))
    return any(node in bad and account_of(close, node[-1]) == owner for node in above)


def _by_account(close: CloseInput, *amounts: Mapping[bytes, int]) -> dict[Account, int]:
    found: dict[Account, int] = defaultdict(int)
    for key, amount in (item for each in amounts for item in each.items()):
        found[account_of(close, key)] += amount
    return found


def _liabilities(
    close: CloseInput, *, owed: Mapping[Account, int], mine: Mapping[Account, int]
) -> dict[Account, Liability]:
    found = {}
    for account, units_owed in owed.items():
        left = units_owed
        taken = []
        for pot in (mine.get(account, 0), close.own.get(account, 0), close.guarantees.get(account, 0)):
            taken.append(min(left, max(0, pot)))
            left -= taken[-1]
        found[account] = Liability(owed=units_owed, from_shares=taken[0], from_online=taken[1], from_guarantee=taken[2])
    return found


def _exact_shares(stretches: Iterable[Stretch], liabilities: Mapping[Account, Liability]) -> dict[bytes, Fraction]:
    exact: dict[bytes, Fraction] = defaultdict(Fraction)
    for stretch in stretches:
        if len(stretch.leaves) > 1:
            made_good = sum(
                (
                    Fraction(times * liabilities[account].used, liabilities[account].owed)
                    for account, times in stretch.double_spent.items()
                ),
                Fraction(),
            )
            for leaf in stretch.leaves:
                exact[leaf[-1]] += stretch.count * (1 + made_good) / len(stretch.leaves)
    return exact


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
    worth: dict[Account, int] = defaultdict(int)
    for key, share in shares.items():
        worth[account_of(close, key)] += share.total
    for account, liability in liabilities.items():
        worth[account] -= liability.from_shares
    for account, amount in close.advanced.items():
        worth[account] -= amount
    debts = {account: -amount for account, amount in worth.items() if amount < 0}
    from_operator = sum(
        (
            sum(share.top for share in shares.values()),
            sum(liability.from_guarantee for liability in liabilities.values()),
            sum(debts.values()),
        )
    )
    return Close(
        shares=shares,
        payouts={account: amount for account, amount in worth.items() if amount > 0},
        debts=debts,
        liabilities=liabilities,
        from_operator=from_operator,
    )
