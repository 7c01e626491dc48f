"""Who holds each unit of a voucher: the tree of lineages, swept over the units from the first to the last.

A cheat may sign thousands of overlapping payments to keys that cost him nothing. If each stretch of units were judged
afresh, one such voucher would keep the operator busy for hours. So the tree changes only where a payment begins or
ends, and sums grow on meters that are read when a leaf comes or goes: the cost is that of the documents.
Rule: protocol/spec/05-close.md, "the holders of a unit".
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from typing import Any, TypeAlias

from tikicash.chain import is_payment, traces
from tikicash.messages import Signed, Voucher, key_id

Account: TypeAlias = Any  # whoever owns keys: hashable, and only compared
Lineage: TypeAlias = tuple[bytes, ...]  # key ids: the voucher's, then every payee's


def _sums() -> dict[Any, int]:
    return defaultdict(int)


@dataclass(slots=True, kw_only=True)
class Claim:
    """What one key is a kept leaf of through one payment, or (payment_id None) what its owner never spent.

    Units that came to a key by two ways are in two claims.
    """

    key_id: bytes
    payment_id: bytes | None  # 32 bytes; of several payments of one lineage the first by id that was not refused
    payer_id: bytes | None  # key id of whoever signed that payment
    count: int = 0  # units, those shared with others included
    shared: int = 0  # of these, units of which somebody else is a kept leaf too
    handed_back: int = 0  # of the others, those that were given back to the operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Sums over all units of a voucher. Amounts in minor units, by key id unless said."""

    home: Mapping[bytes, int]  # never handed on
    sole: Mapping[bytes, int]  # one kept leaf, and not the voucher itself
    claimed: Mapping[bytes, int]  # units of which the key is a kept leaf
    owed: Mapping[Account, int]  # D: units times how often once too often, by account
    exact: Mapping[bytes, Fraction]  # of conflicted units; empty unless made_good was given
    claims: tuple[Claim, ...]  # by key and payment


@dataclass(frozen=True, slots=True)
class Change:
    """A payment begins or ends at a unit, and with it one way in which a lineage holds the units."""

    position: int
    step: int  # +1 or -1
    lineage: Lineage
    counter: str  # of _Node: standing, refused or handed_back
    payment_id: bytes
    end: int  # the first unit after the last that the payment took

    @property
    def order(self) -> tuple[int, int, int]:
        """Ends before beginnings, children end before their parents, and parents begin before their children."""
        return self.position, self.step, self.step * len(self.lineage)


def changes(
    voucher: Signed[Voucher], documents: Iterable[Signed[Any]], *, refused: frozenset[bytes], operator: frozenset[bytes]
) -> tuple[Change, ...]:
    """Return where payments of a voucher begin and end, in order. A hand-back changes what its signer's node did."""
    # Each document once by its whole identity, and in the order of identities: should a cheat ever find two payments
    # whose short ids are equal, every machine still takes the same one for the parent.
    unique = dict(sorted((item.id, item) for item in (*documents, voucher)))
    pool = {item.short_id: item for item in unique.values()}
    found = []
    for payment in filter(is_payment, unique.values()):
        for way in traces(payment, pool):
            if way.voucher.id != voucher.id:
                continue
            lineage, counter = way.lineage, "refused" if payment.id in refused else "standing"
            if payment.body.payee_id in operator:
                lineage, counter = lineage[:-1], "handed_back"
            first, count = way.units
            end = first + count
            found.append(Change(first, +1, lineage, counter, payment.id, end))
            found.append(Change(end, -1, lineage, counter, payment.id, end))
    return tuple(sorted(found, key=lambda change: change.order))


@dataclass(slots=True, eq=False)
class _Node:
    """The last key of a lineage, while the sweep is at units that came to it."""

    key: bytes
    account: Account
    parent: "_Node | None"
    standing: int = 0  # documents that brought the units and were not refused
    refused: int = 0
    handed_back: int = 0  # documents with which it gave them to the operator
    brought_by: list[tuple[bool, bytes, int]] = field(default_factory=list)  # heap: refused, payment id, end
    payment_id: bytes | None = None  # the first of them that goes on here
    taken_on: int = 0  # lineages one key longer that any document made, refused or not
    here: bool = False  # a node of the tree
    children: int = 0  # nodes of the tree one key longer
    own_leaves: "dict[_Node, None]" = field(default_factory=dict)  # leaves below that its own account holds
    bad_above: int = 0  # of a leaf: nodes of its own account above it that double spent
    below: dict["_View", int] = field(default_factory=_sums)  # leaves in a view, at or below it
    alive: dict["_View", int] = field(default_factory=_sums)  # children with a leaf in a view

    def path(self) -> "Iterable[_Node]":
        """Yield the node and all above it."""
        node: _Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def own_above(self) -> "Iterable[_Node]":
        """Yield the nodes above that belong to the same account."""
        return (node for node in self.path() if node is not self and node.account == self.account)


@dataclass(slots=True, eq=False)
class _View:
    """A set of leaves that share units out, with meters that run while the view is in force."""

    leaves: dict[_Node, tuple[Fraction, int, int]] = field(default_factory=dict)  # with the meters when the leaf came
    too_many: dict[Account, int] = field(default_factory=_sums)  # d: how often once too often
    leaves_of: dict[bytes, int] = field(default_factory=_sums)
    came_at: dict[bytes, int] = field(default_factory=dict)
    units: int = 0  # meter: units that the view shared out
    shared: int = 0  # meter: of these, units with several leaves
    part: Fraction = field(default_factory=Fraction)  # meter: what one leaf got of the conflicted ones

    @property
    def meters(self) -> tuple[Fraction, int, int]:
        """What the meters say now."""
        return self.part, self.units, self.shared


class Sweep:
    """The tree of lineages at one place of a voucher, and the sums over all units before it.

    `made_good` says which part of what an account owes is paid, so that exact shares can be told; without it, only
    whole units are summed.
    """

    def __init__(
        self,
        voucher_key: bytes,
        *,
        account_of: Callable[[bytes], Account],
        made_good: Mapping[Account, Fraction] | None = None,
    ) -> None:
        self._account_of = account_of
        self._made_good = made_good
        self._kept = _View()  # leaves, less those whose account owns a bad node above them
        self._all = _View()  # in force where none would be left
        self._home, self._sole, self._claimed, self._owed = _sums(), _sums(), _sums(), _sums()
        self._exact: dict[bytes, Fraction] = defaultdict(Fraction)
        self._claims: dict[tuple[bytes, bytes], Claim] = {}
        self._root = _Node(key=voucher_key, account=account_of(voucher_key), parent=None, standing=1)
        self._nodes: dict[Lineage, _Node] = {(voucher_key,): self._root}
        self._set_here(self._root)

    def pass_units(self, count: int) -> None:
        """Share out units on which the tree is as it is now."""
        view = self._kept if self._kept.leaves else self._all
        view.units += count
        if len(view.leaves) == 1:
            (leaf,) = view.leaves
            (self._home if leaf is self._root else self._sole)[leaf.key] += count
            if leaf.handed_back:
                self._claim_of(leaf).handed_back += count
            return
        view.shared += count
        made_good = Fraction()
        assert sum(view.too_many.values()) == len(view.leaves) - 1, view.too_many
        for account, times in view.too_many.items():
            self._owed[account] += times * count
            if self._made_good is not None:
                made_good += times * self._made_good[account]
        if self._made_good is not None:
            view.part += count * (1 + made_good) / len(view.leaves)

    def apply(self, change: Change) -> None:
        """Let one payment begin or end."""
        node = self._nodes.get(change.lineage)
        parent = self._nodes[change.lineage[:-1]] if len(change.lineage) > 1 else None
        if node is None:
            key = change.lineage[-1]
            node = self._nodes[change.lineage] = _Node(key=key, account=self._account_of(key), parent=parent)
        before = node.standing + node.refused + node.handed_back
        setattr(node, change.counter, getattr(node, change.counter) + change.step)
        self._bring(node, change)
        after = before + change.step
        if before == 0 and parent is not None:
            parent.taken_on += 1
            self._set_here(parent)
        self._set_here(node)
        if after == 0 and parent is not None:
            parent.taken_on -= 1
            self._set_here(parent)
            del self._nodes[change.lineage]

    def finish(self) -> Holders:
        """Return the sums, every payment having ended."""
        self._leave(self._all, self._root)
        self._leave(self._kept, self._root)
        exact = {key: amount for key, amount in self._exact.items() if amount}
        claims = tuple(claim for _, claim in sorted(self._claims.items()) if claim.count)
        return Holders(
            home=self._home, sole=self._sole, claimed=self._claimed, owed=self._owed, exact=exact, claims=claims
        )

    def _bring(self, node: _Node, change: Change) -> None:
        """Note through which payment a node has its units from here on."""
        if change.counter == "handed_back":
            return
        brought_by = node.brought_by
        if change.step > 0:
            heapq.heappush(brought_by, (change.counter == "refused", change.payment_id, change.end))
        while brought_by and brought_by[0][2] <= change.position:
            heapq.heappop(brought_by)
        first = brought_by[0][1] if brought_by else None
        if first != node.payment_id:
            for view in (self._kept, self._all):
                if node in view.leaves:
                    self._read_meters(view, node)
            node.payment_id = first

    def _read_meters(self, view: _View, leaf: _Node) -> None:
        """Add up what a leaf got since its meters were read, and read them anew."""
        part, units, shared = view.leaves[leaf]
        if view.units > units:
            claim = self._claim_of(leaf)
            claim.count += view.units - units
            claim.shared += view.shared - shared
            if view.part is not part:
                self._exact[leaf.key] += view.part - part
            view.leaves[leaf] = view.meters

    def _claim_of(self, leaf: _Node) -> Claim:
        at = (leaf.key, leaf.payment_id or b"")
        claim = self._claims.get(at)
        if claim is None:
            payer_id = leaf.parent.key if leaf.parent is not None else None
            claim = self._claims[at] = Claim(key_id=leaf.key, payment_id=leaf.payment_id, payer_id=payer_id)
        return claim

    def _set_here(self, node: _Node) -> None:
        # A refusal takes back the refuser's own leaf; who handed the units on or back has taken them.
        here = bool(node.standing or node.handed_back or node.taken_on)
        if here == node.here:
            return
        node.here = here
        parent = node.parent
        if here:
            self._set_children(parent, +1)
            self._set_leaf(node, here=True)
        else:
            self._set_leaf(node, here=False)
            self._set_children(parent, -1)

    def _set_children(self, node: _Node | None, step: int) -> None:
        if node is None:
            return
        was_leaf, was_bad = node.children == 0, node.children > 1
        node.children += step
        if was_leaf != (node.children == 0):
            self._set_leaf(node, here=not was_leaf)
        if was_bad != (node.children > 1):
            for leaf in node.own_leaves:
                self._set_bad_above(leaf, leaf.bad_above + step)

    def _set_leaf(self, leaf: _Node, *, here: bool) -> None:
        if here:
            self._come(self._all, leaf)
            self._come(self._kept, leaf)
            leaf.bad_above = 0
            for node in leaf.own_above():
                node.own_leaves[leaf] = None
            self._set_bad_above(leaf, sum(node.children > 1 for node in leaf.own_above()))
        else:
            self._set_bad_above(leaf, 0)
            for node in leaf.own_above():
                del node.own_leaves[leaf]
            self._leave(self._kept, leaf)
            self._leave(self._all, leaf)

    def _set_bad_above(self, leaf: _Node, bad_above: int) -> None:
        # Nobody competes below a double spend of his own: paying his other phone must not shrink the victim's share.
        if leaf.bad_above == 0 and bad_above > 0:
            self._leave(self._kept, leaf)
        if leaf.bad_above > 0 and bad_above == 0:
            self._come(self._kept, leaf)
        leaf.bad_above = bad_above

    def _come(self, view: _View, leaf: _Node) -> None:
        view.leaves[leaf] = view.meters
        if view.leaves_of[leaf.key] == 0:
            view.came_at[leaf.key] = view.units
        view.leaves_of[leaf.key] += 1
        for node in leaf.path():
            node.below[view] += 1
            if node.below[view] == 1 and node.parent is not None:
                node.parent.alive[view] += 1
                if node.parent.alive[view] > 1:
                    view.too_many[node.parent.account] += 1

    def _leave(self, view: _View, leaf: _Node) -> None:
        self._read_meters(view, leaf)
        del view.leaves[leaf]
        view.leaves_of[leaf.key] -= 1
        # The voucher's own leaf is no claim: nobody was paid.
        if view.leaves_of[leaf.key] == 0 and leaf is not self._root:
            self._claimed[leaf.key] += view.units - view.came_at.pop(leaf.key)
        for node in leaf.path():
            node.below[view] -= 1
            if node.below[view] == 0 and node.parent is not None:
                if node.parent.alive[view] > 1:
                    view.too_many[node.parent.account] -= 1
                    if view.too_many[node.parent.account] == 0:
                        del view.too_many[node.parent.account]
                node.parent.alive[view] -= 1


def sweep(
    voucher: Voucher,
    found: Iterable[Change],
    *,
    account_of: Callable[[bytes], Account],
    made_good: Mapping[Account, Fraction] | None = None,
) -> Holders:
    """Return the sums over all units of a voucher. `found` comes from `changes`; `made_good` as for `Sweep`."""
    tree = Sweep(key_id(voucher.key), account_of=account_of, made_good=made_good)
    at = voucher.first
    for position, group in groupby(found, key=lambda change: change.position):
        if position > at:
            tree.pass_units(position - at)
            at = position
        for change in group:
            tree.apply(change)
    if at < voucher.first + voucher.count:
        tree.pass_units(voucher.first + voucher.count - at)
    return tree.finish()
