"""Tills that are paid with locked money: real books and the real rules; the payer signs whatever he likes.

The payer needs no state. A copy of his phone that was put back, or a patient cheat, can sign any units of his vouchers
for any request that a till shows, so that is what every step offers. A till keeps its book, or loses it and takes a new
key. Its answer depends on itself only, so each of its states is stepped from once and then known by a number.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, TypeAlias

import pytest

from settlement.paper import EUR, NOW, whole
from tikicash.book import Book, hand_on
from tikicash.errors import Rejected
from tikicash.messages import Bundle, IssuerKey, Payment, Piece, Request, Signed
from tikicash.rules import AcceptContext, accept

Unit: TypeAlias = tuple[str, int]  # the name of a voucher, the place in it
Ranges: TypeAlias = tuple[tuple[str, int, int], ...]  # the name of a voucher, the first place, how many
LONG_AGO = NOW - 30 * 86_400


@dataclass(frozen=True)
class Paper:
    """How keys and documents are made: with signatures or without, and how they are verified."""

    key: Callable[[str], Any]
    voucher: Callable[..., Signed[Any]]  # owner, count, changes
    pay: Callable[..., Signed[Payment]]  # payer, payee, pieces, nonce
    operator: Any
    verify: Callable[[bytes, bytes, bytes], bool]


@dataclass(frozen=True)
class Till:
    """A payee's phone: how many keys it had before this one, how many of its requests were paid, and its book."""

    name: str
    lost: int = 0
    paid: int = 0
    book: Book = field(default_factory=Book)
    holds: tuple[Signed[Payment], ...] = ()  # payments that it has given nothing back of

    @property
    def key_name(self) -> str:
        return f"{self.name} {self.lost}"


@dataclass(frozen=True)
class Step:
    """Where a step leads a till, and the payment that it took on the way."""

    to: int
    payment: Signed[Payment] | None = None
    final: frozenset[Unit] = frozenset()  # as the till's screen said


class Tills:
    """Vouchers of one payer, each locked to a till or to nobody, and every step that a till can take."""

    def __init__(self, paper: Paper, *, locked_to: dict[str, str | None], units: int) -> None:
        self.paper = paper
        self.units = units
        self.locked_to = locked_to
        self.payer = paper.key("payer")
        self.vouchers = {
            name: paper.voucher(
                self.payer,
                units,
                first=1000 * number,
                cover=0,
                audience_key=None if till is None else paper.key(f"{till} 0").public,
            )
            for number, (name, till) in enumerate(locked_to.items(), 1)
        }
        self.states: list[Till] = []
        self.refusals: Counter[str] = Counter()
        self._numbers: dict[Till, int] = {}
        self._steps: dict[int, tuple[Step, ...]] = {}

    def number(self, till: Till) -> int:
        """The number of a till's state."""
        if till not in self._numbers:
            self._numbers[till] = len(self.states)
            self.states.append(till)
        return self._numbers[till]

    def steps(self, number: int) -> tuple[Step, ...]:
        """All steps from a state: a payment taken, everything of one payment given back, the book lost."""
        if number not in self._steps:
            till = self.states[number]
            self._try_what_is_not_his(till)
            found = [step for ranges in self._choices(till) if (step := self._scan(till, ranges)) is not None]
            found += [Step(self.number(self._give_back(till, payment))) for payment in till.holds]
            found.append(Step(self.number(Till(till.name, lost=till.lost + 1, paid=till.paid))))
            self._steps[number] = tuple(found)
        return self._steps[number]

    def units_of(self, payment: Signed[Payment]) -> frozenset[Unit]:
        """The units that a payment takes straight from vouchers."""
        at = {on.short_id: (name, on.body.first) for name, on in self.vouchers.items()}
        return frozenset(
            (at[taken.parent_id][0], taken.first - at[taken.parent_id][1] + offset)
            for taken in payment.body.pieces
            for offset in range(taken.count)
        )

    def _choices(self, till: Till) -> Iterator[Ranges]:
        """What the payer can pay a till with: a range of one voucher, or one of each of two."""
        places = [(start, count) for count in range(1, self.units + 1) for start in range(self.units - count + 1)]
        names = [name for name in self.vouchers if self._may_take(till, name)]
        for name, place in product(names, places):
            yield ((name, *place),)
        for at, name in enumerate(names):
            for other, one, two in product(names[at + 1 :], places, places):
                yield ((name, *one), (other, *two))

    def _may_take(self, till: Till, name: str) -> bool:
        locked_to = self.locked_to[name]
        return locked_to is None or (locked_to == till.name and till.lost == 0)

    def _try_what_is_not_his(self, till: Till) -> None:
        """Money locked to another till, or to the key that this one lost, is refused: alone, and beside his own."""
        not_his = [name for name in self.vouchers if not self._may_take(till, name)]
        his = [(name, 0, 1) for name in self.vouchers if self._may_take(till, name)][:1]
        for name in not_his:
            for ranges in (((name, 0, self.units),), ((name, 0, 1), *his)):
                self._refuse(till, self._payment(till, ranges), ranges, "locked_to_another")
        if till.lost:
            for name in self.vouchers:
                ranges = ((name, 0, self.units),)
                old = self.paper.key(f"{till.name} 0")
                self._refuse(till, self._payment(till, ranges, to=old), ranges, "not_for_me")

    def _payment(self, till: Till, ranges: Ranges, *, to: Any = None) -> Signed[Payment]:
        """What the payer signs for the request that a till shows: to its key, or to another."""
        total = sum(count for _, _, count in ranges)
        nonce = bytes([ord(till.name), till.paid, total]) + bytes(5)
        pieces = tuple(
            Piece(parent_id=self.vouchers[name].short_id, first=self.vouchers[name].body.first + first, count=count)
            for name, first, count in ranges
        )
        return self.paper.pay(self.payer, to or self.paper.key(till.key_name), pieces, nonce)

    def _scan(self, till: Till, ranges: Ranges) -> Step | None:
        """Let a till scan a payment; None if it says no, which its book alone may do here."""
        payment = self._payment(till, ranges)
        try:
            result = accept(
                self._bundle(payment, ranges), context=self._context(till, payment), verify=self.paper.verify
            )
        except Rejected as rejected:
            if rejected.code not in {"already_held", "spent_twice"}:
                raise
            self.refusals[rejected.code] += 1
            return None
        units = self.units_of(payment)
        final = frozenset(unit for unit in units if self.locked_to[unit[0]] is not None)
        safe = result.how_safe
        assert (safe.final, safe.protected, safe.at_risk) == (len(final), 0, len(units - final))
        after = replace(till, paid=till.paid + 1, book=in_order(result.book), holds=(*till.holds, payment))
        self._refuse(after, payment, ranges, "payment_already_accepted")
        return Step(self.number(after), payment, final)

    def _refuse(self, till: Till, payment: Signed[Payment], ranges: Ranges, code: str) -> None:
        with pytest.raises(Rejected) as found:
            accept(self._bundle(payment, ranges), context=self._context(till, payment), verify=self.paper.verify)
        assert found.value.code == code
        self.refusals[code] += 1

    def _bundle(self, payment: Signed[Payment], ranges: Ranges) -> Bundle:
        return Bundle(documents=(*(self.vouchers[name] for name, *_ in ranges), payment))

    def _context(self, till: Till, payment: Signed[Payment]) -> AcceptContext:
        mine = self.paper.key(till.key_name)
        asked = Request(
            net=1, currency=EUR, amount=payment.body.total, nonce=payment.body.nonce, payee_key=mine.public,
            asked_at=NOW, name=None,
        )  # fmt: skip
        issuer = IssuerKey(
            net=1, number=1, key=self.paper.operator.public, valid_from=LONG_AGO, valid_until=NOW + 86_400
        )
        return AcceptContext(
            net=1,
            now=NOW,
            newest_signed_time=LONG_AGO,  # the operator wasn't heard for a month, and final does not mind
            open_requests=(asked,),
            issuer_keys=(issuer,),
            revocations=None,
            my_keys=(mine.public,),
            my_certificate=None,
            book=till.book,
        )

    def _give_back(self, till: Till, payment: Signed[Payment]) -> Till:
        home = self.paper.pay(self.paper.key(till.key_name), self.paper.operator, whole(payment), b"home" + bytes(4))
        book = hand_on(till.book, home, operator=frozenset({self.paper.operator.id}))
        return replace(till, book=in_order(book), holds=tuple(item for item in till.holds if item is not payment))


def in_order(book: Book) -> Book:
    """The same book, however it came about."""
    return Book(
        holdings=tuple(sorted(book.holdings, key=lambda item: (item.parent_id, item.first))),
        handed_on=tuple(sorted(book.handed_on, key=lambda item: (item.payment_id, item.first))),
        accepted=tuple(sorted(book.accepted, key=lambda item: item.payment_id)),
    )
