"""What was promised, what became of it: the audit that a run ends with.

The audit knows what the operator cannot: who is honest, what each screen showed, who signed what twice. It looks at
every close, so that a broken promise is found at the voucher that broke it and not in a sum at the end.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sim.operator import OpenVoucher, Operator
from sim.people import Account, Phone
from tikicash import closing
from tikicash.book import Book
from tikicash.chain import is_payment
from tikicash.closing import Close, CloseInput
from tikicash.messages import Payment, Signed, key_id
from tikicash.rules import Acceptance

# Looking at a close a second time costs as much as the close, so honest ones are only sampled.
SECOND_LOOK_EVERY = 40


@dataclass(frozen=True, slots=True)
class Accepted:
    """A payment that an honest phone took, and the screen that made it do so."""

    voucher_ids: tuple[bytes, ...]
    accepted_at: int
    spend_by: int


@dataclass(slots=True)
class Audit:
    """Amounts in minor units, by key id unless said."""

    accounts: list[Account]
    phones: dict[bytes, Phone] = field(default_factory=dict)
    last_books: dict[bytes, Book] = field(default_factory=dict)  # of keys that were lost or retired
    accepted: dict[bytes, Accepted] = field(default_factory=dict)  # by 16-byte payment id
    holders: dict[bytes, dict[bytes, None]] = field(default_factory=lambda: defaultdict(dict))  # keys by voucher
    forks: dict[bytes, list[tuple[bytes, bytes, bytes]]] = field(default_factory=lambda: defaultdict(list))
    shown_at_risk: Counter[bytes] = field(default_factory=Counter)
    lost: Counter[bytes] = field(default_factory=Counter)
    granted: Counter[bytes] = field(default_factory=Counter)  # B
    covered: Counter[bytes] = field(default_factory=Counter)  # sum over vouchers of min(cover, claims)
    topped: Counter[bytes] = field(default_factory=Counter)
    charged: Counter[int] = field(default_factory=Counter)  # by account: taken from its own money
    withdrawers: dict[int, None] = field(default_factory=dict)
    came_too_late: int = 0
    closes: int = 0
    conflicts: int = 0
    accusations: int = 0  # honest payments that an honest phone took for a fraud
    unnamed: int = 0
    broken: Counter[str] = field(default_factory=Counter)

    def take(self, phone: Phone, acceptance: Acceptance, now: int) -> None:
        """Note what the screen of an honest payee showed."""
        if not phone.honest:
            return
        key = phone.keys.id
        self.phones[key] = phone
        self.shown_at_risk[key] += acceptance.how_safe.at_risk
        vouchers = tuple(item.id for item in acceptance.chain.vouchers)
        self.accepted[acceptance.payment.short_id] = Accepted(vouchers, now, acceptance.how_safe.spend_by)
        if now > acceptance.how_safe.claim_by:
            self.lost[key] += acceptance.payment.body.total
            return
        for voucher_id in vouchers:
            self.holders[voucher_id][key] = None

    def lose(self, phone: Phone) -> None:
        """Note the last book of a key that will not be used again."""
        self.last_books[phone.keys.id] = phone.book
        self.phones.pop(phone.keys.id, None)

    def fork(self, voucher_id: bytes, key: bytes, one: Signed[Payment], other: Signed[Payment]) -> None:
        """Note that a cheat signed the same units to two keys."""
        self.forks[voucher_id].append((key, one.id, other.id))

    def close(self, operator: Operator, at: OpenVoucher, given: CloseInput, result: Close) -> None:
        """Audit one close."""
        self.closes += 1
        if at.escrow != 0:
            self.broken["conserved"] += 1
        self._check_holders(at, result)
        self._check_covers(at, result)
        for number, liability in result.liabilities.items():
            self.charged[number] += liability.from_shares + liability.from_online
            if self.accounts[number].honest:
                self.broken["honest_charged"] += 1
            if operator.guarantees[number] < 0:
                self.broken["guarantee_below_zero"] += 1
        for key, one, other in self.forks.pop(at.signed.id, ()):
            if one in at.touching and other in at.touching and key not in operator.named:
                self.unnamed += 1
        spent_twice = any(key in operator.named for key in at.handed_on)
        if spent_twice or self.closes % SECOND_LOOK_EVERY == 0:
            self._look_twice(at, given, result)

    def _check_holders(self, at: OpenVoucher, result: Close) -> None:
        arrived = {item.short_id for item in at.touching.values()}
        for key in self.holders.pop(at.signed.id, ()):
            held = self._held(key, at.signed.id, arrived)
            share = result.shares.get(key)
            paid = 0 if share is None else share.sole + share.shared + share.top
            self.lost[key] += max(0, held - paid)

    def _held(self, key: bytes, voucher_id: bytes, arrived: set[bytes]) -> int:
        """Return what a key holds or handed back of a voucher, of payments whose copies arrived in time."""
        book = self.phones[key].book if key in self.phones else self.last_books[key]
        held = 0
        for holding in book.holdings:
            if holding.terms.voucher_id != voucher_id or holding.owner_id != key or holding.depth == 0:
                continue
            taken = self.accepted[holding.parent_id]
            # Whoever was let to take dead money had no date by which to bring it.
            if holding.parent_id in arrived or taken.accepted_at > taken.spend_by:
                held += holding.count
            else:
                self.came_too_late += holding.count
        for entry in book.handed_on:
            mine = entry.terms.voucher_id == voucher_id and entry.owner_id == key and entry.depth > 0
            if mine and entry.to_operator and entry.payment_id in arrived:
                held += entry.count
        return held

    def _check_covers(self, at: OpenVoucher, result: Close) -> None:
        cover = at.signed.body.cover
        for key, share in result.shares.items():
            self.covered[key] += min(cover, share.claimed)
            self.topped[key] += share.top
            if self.topped[key] > min(self.granted[key], self.covered[key]):
                self.broken["cover_over_budget"] += 1
        if result.liabilities:
            self.conflicts += 1

    def _look_twice(self, at: OpenVoucher, given: CloseInput, result: Close) -> None:
        """Close once more: in another order, without hand-backs, without what culprits paid to themselves."""
        other_order = replace(given, documents=tuple(reversed(given.documents)))
        if closing.settle(other_order) != result:
            self.broken["order_matters"] += 1
        no_hand_backs = self._without(given, lambda item: item.body.payee_id in given.operator)
        if closing.settle(no_hand_backs).shares != result.shares:
            self.broken["hand_back_matters"] += 1
        if result.liabilities:
            signers = {payment.id: _signer(given, payment) for payment in at.touching.values()}
            account = given.account_of
            parents = {piece.parent_id for payment in at.touching.values() for piece in payment.body.pieces}
            unselfish = self._without(
                given,
                lambda item: (
                    item.short_id not in parents
                    and account.get(signers.get(item.id, b"")) == account.get(item.body.payee_id, b"")
                ),
            )
            before = closing.settle(unselfish)
            own = {key for key, number in account.items() if number in result.liabilities}
            if not before.liabilities and _others(before, own) != _others(result, own):
                self.broken["self_payment_takes_from_others"] += 1

    def _without(self, given: CloseInput, leave_out: Callable[[Signed[Payment]], bool]) -> CloseInput:
        kept = tuple(item for item in given.documents if not (is_payment(item) and leave_out(item)))
        return replace(given, documents=kept)

    def check_release(self, operator: Operator, account: Account) -> None:
        """Check that nobody has more early than L, unpaid debts included."""
        self.withdrawers[account.number] = None
        if operator.advances[account.number] + operator.debts[account.number] > account.tier.release:
            self.broken["released_over_limit"] += 1

    def loss_over_shown(self) -> int:
        """Return how much more honest people lost than their screens showed At your risk."""
        return sum(max(0, lost - self.shown_at_risk[key]) for key, lost in self.lost.items())

    def honest_named(self, operator: Operator) -> int:
        """Return how many honest phones were named or taken for a cheat's."""
        named = sum(self.accounts[operator.account_of[key]].honest for key in operator.named)
        return named + self.accusations + self.broken["honest_charged"]

    def bound(self, operator: Operator) -> int:
        """Return the most that the operator may have paid: G of the named, covers, L of the withdrawers."""
        guarantees = sum(self.accounts[number].tier.guarantee for number in sorted(operator.blocked))
        covers = sum(min(self.granted[key], covered) for key, covered in self.covered.items())
        return guarantees + covers + sum(self.accounts[number].tier.release for number in self.withdrawers)


def _signer(given: CloseInput, payment: Signed[Payment]) -> bytes:
    """Return the key that signed a payment: the payee of its parent, or the voucher's key."""
    parent = payment.body.pieces[0].parent_id
    for item in given.documents:
        if item.short_id == parent:
            return item.body.payee_id if is_payment(item) else key_id(item.body.key)
    return b""


def _others(result: Close, own: set[bytes]) -> dict[bytes, closing.Share]:
    return {key: share for key, share in result.shares.items() if key not in own and share.total}
