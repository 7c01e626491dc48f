"""The close once more, unit by unit and in the order of its text, slow and without a line of tikicash/closing.py.

Written from section "the close" of protocol/spec/05-close.md. If the two disagree, one of them has read the rule wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tikicash.closing import Close, CloseInput
from tikicash.messages import Payment, key_id

Lineage = tuple[bytes, ...]


@dataclass
class Unit:
    """One unit of a voucher: where it went, who keeps a claim on it, who brought how many too many."""

    nodes: set[Lineage]
    leaves: set[Lineage]
    bad: set[Lineage]
    keep: set[Lineage]
    too_many: Counter[Hashable]


def owner(given: CloseInput, key: bytes) -> Hashable:
    return given.account_of.get(key, key)


def lineage_of(given: CloseInput, payment: Any, unit: int) -> Lineage | None:
    """The keys through which a payment took a unit of the voucher, its payee last; None if it did not touch it."""
    for piece in payment.body.pieces:
        if piece.first <= unit < piece.first + piece.count:
            if piece.parent_id == given.voucher.id[:16]:
                return (key_id(given.voucher.body.key), payment.body.payee_id)
            for parent in given.documents:
                if parent.id[:16] == piece.parent_id and isinstance(parent.body, Payment):
                    above = lineage_of(given, parent, unit)
                    return None if above is None else (*above, payment.body.payee_id)
    return None


def look_at(given: CloseInput, unit: int) -> Unit:
    brought: defaultdict[Lineage, list[bool]] = defaultdict(list)  # for each lineage: was it refused, once a document
    handed_back = set()
    for document in {item.id: item for item in given.documents}.values():
        if isinstance(document.body, Payment):
            lineage = lineage_of(given, document, unit)
            if lineage is not None and lineage[-1] in given.operator:
                handed_back.add(lineage[:-1])
            elif lineage is not None:
                brought[lineage].append(document.id in given.refused)
    nodes = {(key_id(given.voucher.body.key),)}
    for lineage, refusals in brought.items():
        handed_on = any(other[:-1] == lineage for other in brought)
        if not all(refusals) or handed_on or lineage in handed_back:
            nodes.add(lineage)
    leaves = {node for node in nodes if not any(other[:-1] == node for other in nodes)}
    bad = {node for node in nodes if sum(other[:-1] == node for other in nodes) >= 2}
    keep = {
        leaf
        for leaf in leaves
        if not any(
            leaf[: len(node)] == node and leaf != node and owner(given, node[-1]) == owner(given, leaf[-1])
            for node in bad
        )
    }
    keep = keep or leaves
    too_many: Counter[Hashable] = Counter()
    for node in bad:
        children = [child for child in nodes if child[:-1] == node]
        living = sum(any(leaf[: len(child)] == child for leaf in keep) for child in children)
        if living > 1:
            too_many[owner(given, node[-1])] += living - 1
    assert sum(too_many.values()) == len(keep) - 1
    return Unit(nodes, leaves, bad, keep, too_many)


def named_on(given: CloseInput, unit: int) -> set[bytes]:
    """The keys with two payments on a unit, neither an ancestor of the other along it. Refusals excuse nobody."""
    lineages = set()
    for document in given.documents:
        if isinstance(document.body, Payment) and document.body.payee_id not in given.operator:
            lineage = lineage_of(given, document, unit)
            if lineage is not None:
                lineages.add(lineage)
    return {
        one[-2]
        for one in lineages
        for other in lineages
        if one[-2] == other[-2] and one[: len(other)] != other and other[: len(one)] != one
    }


def named(given: CloseInput) -> set[bytes]:
    first, count = given.voucher.body.first, given.voucher.body.count
    return set().union(*(named_on(given, unit) for unit in range(first, first + count)))


def close_by_hand(given: CloseInput) -> dict[str, Any]:
    """What `flat` makes of the result of closing.settle."""
    body = given.voucher.body
    units = [look_at(given, unit) for unit in range(body.first, body.first + body.count)]
    home: Counter[bytes] = Counter()
    sole: Counter[bytes] = Counter()
    claims: Counter[bytes] = Counter()
    owed: Counter[Hashable] = Counter()
    for unit in units:
        claims.update({leaf[-1] for leaf in unit.keep if len(leaf) > 1})
        if len(unit.keep) == 1:
            (leaf,) = unit.keep
            (home if len(leaf) == 1 else sole)[leaf[-1]] += 1
        else:
            owed.update(unit.too_many)

    mine: Counter[Hashable] = Counter()
    for key, amount in (home + sole).items():
        mine[owner(given, key)] += amount
    used, taken = {}, {}
    for account, debt in owed.items():
        pots = (mine[account], max(0, given.own.get(account, 0)), max(0, given.guarantees.get(account, 0)))
        used[account] = min(debt, sum(pots))
        first = min(debt, pots[0])
        second = min(debt - first, pots[1])
        taken[account] = (debt, first, second, used[account] - first - second)

    exact: defaultdict[bytes, Fraction] = defaultdict(Fraction)
    for unit in units:
        if len(unit.keep) > 1:
            made_good = sum((Fraction(n * used[c], owed[c]) for c, n in unit.too_many.items()), Fraction())
            for leaf in unit.keep:
                exact[leaf[-1]] += (1 + made_good) / len(unit.keep)
    shared = {key: value.numerator // value.denominator for key, value in exact.items()}
    left = sum(exact.values()) - sum(shared.values())
    assert left == int(left)
    for _, key in sorted((shared[key] - value, key) for key, value in exact.items())[: int(left)]:
        shared[key] += 1

    shares, worth = {}, Counter({account: -amount for account, amount in given.advanced.items()})
    for key in {*home, *sole, *shared}:
        have = sole[key] + shared.get(key, 0)
        wanted = max(0, min(body.cover, claims[key]) - have)
        top = min(max(0, given.budgets.get(key, 0)), wanted)
        shares[key] = (home[key], sole[key], shared.get(key, 0), top, claims[key])
        worth[owner(given, key)] += home[key] + have + top
    for account, (_, from_shares, _, _) in taken.items():
        worth[account] -= from_shares
    debts = {account: -amount for account, amount in worth.items() if amount < 0}
    from_operator = sum(share[3] for share in shares.values())
    from_operator += sum(each[3] for each in taken.values()) + sum(debts.values())
    return {
        "shares": shares,
        "payouts": {account: amount for account, amount in worth.items() if amount > 0},
        "debts": debts,
        "liabilities": taken,
        "from_operator": from_operator,
    }


def flat(close: Close) -> dict[str, Any]:
    """A result of closing.settle, in the form of close_by_hand."""
    return {
        "shares": {
            key: (share.home, share.sole, share.shared, share.top, share.claimed) for key, share in close.shares.items()
        },
        "payouts": dict(close.payouts),
        "debts": dict(close.debts),
        "liabilities": {
            account: (item.owed, item.from_shares, item.from_online, item.from_guarantee)
            for account, item in close.liabilities.items()
        },
        "from_operator": close.from_operator,
    }
