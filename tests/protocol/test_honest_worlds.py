"""Random weeks: honest phones are never refused and never named; whoever signs a unit twice always is."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    FIRST,
    ISSUER,
    ISSUER_KEY,
    MALLORY,
    NOW,
    ROOT,
    Key,
    bundle,
    certificate,
    chained,
    context,
    pay,
    request,
    voucher,
)
from tikicash import units
from tikicash.book import Book, claims, forget_closed, hand_on, load, spendable
from tikicash.chain import payer_id, sale_nonce
from tikicash.coins import choose_pieces, refund_pieces
from tikicash.errors import Rejected
from tikicash.messages import Bundle, Payment, Piece, Signed
from tikicash.rules import AcceptContext, accept, accept_claim
from tikicash.safety import promised
from tikicash.settlement import branches, double_spends, final_before_close, in_conflict, make_proof, verify_proof
from tikicash.validity import check_chain

OPERATOR = frozenset({ISSUER.id})
PEOPLE = (ASHA, BEN, CHI, DAN)


@dataclass
class Week:
    """Phones that pay each other offline, and every document that they make."""

    chance: random.Random
    books: dict[bytes, Book] = field(default_factory=dict)
    documents: list[Signed[Any]] = field(default_factory=list)
    paid: int = 0

    def start(self) -> None:
        for number, key in enumerate((*PEOPLE, MALLORY)):
            own = voucher(key, first=FIRST + 8192 * number)
            self.books[key.id] = load(Book(), own)
            self.documents += [own, certificate(key)]

    def nonce(self) -> bytes:
        self.paid += 1
        return self.paid.to_bytes(8, "big")

    def sign(self, payer: Key, payee: Key, pieces: tuple[Piece, ...], nonce: bytes) -> Signed[Any]:
        payment = pay(payer, payee, *pieces, nonce=nonce)
        self.documents.append(payment)
        return payment

    def show(self, payment: Signed[Any], payee: Key, *, is_refund: bool = False) -> None:
        """The payee scans and accepts; an honest phone's payment or refund is never refused."""
        shown = bundle(payment, *self.documents)
        asked = request(payee, payment.body.total, nonce=payment.body.nonce).body
        given = AcceptContext(
            net=1,
            now=NOW,
            newest_signed_time=NOW,
            open_requests=() if is_refund else (asked,),
            issuer_keys=(ISSUER_KEY.body,),
            revocations=None,
            my_keys=(payee.public,),
            my_certificate=certificate(payee).body,
            book=self.books[payee.id],
        )
        result = (accept_claim if is_refund else accept)(shown, context=given)
        assert (result.sale is not None) == is_refund
        safe = result.how_safe
        assert safe.final + safe.protected + safe.at_risk == payment.body.total
        self.books[payee.id] = result.book

    def step(self) -> None:
        payer, payee = self.chance.sample(PEOPLE, 2)
        book = self.books[payer.id]
        holdings = spendable(book, owner_id=payer.id, payee_id=payee.id, now=NOW, may_hand_on=True)
        kind = self.chance.choice(["pay", "pay", "pay", "torn", "retry", "refund", "hand back"])
        if kind == "refund":
            self.give_back(payer)
            return
        if kind == "hand back":
            payee, holdings = ISSUER, book.holdings
        try:
            pieces = choose_pieces(holdings, self.chance.randint(1, 1500), start=self.chance.randrange(2**32))
        except Rejected:
            return
        payment = self.sign(payer, payee, pieces, self.nonce())
        self.books[payer.id] = hand_on(book, payment, operator=OPERATOR)
        if kind == "retry":
            self.sign(payer, payee, pieces, self.nonce())
        if kind == "hand back" or kind == "torn":
            return
        self.show(payment, payee)

    def give_back(self, payer: Key) -> None:
        """Give back part of a sale: whatever is held of it, as deep as it may be."""
        book, drawn = self.books[payer.id], self.chance.randrange(2**32)
        sales = {item.parent_id for item in book.holdings if 0 < item.depth <= 3 and item.owner_id == payer.id}
        if not sales:
            return
        sale_id = self.chance.choice(sorted(sales))
        sale = next(item for item in self.documents if item.short_id == sale_id)
        payee = next(key for key in (*PEOPLE, MALLORY) if key.id == self.signer_of(sale))
        amount = self.chance.randint(1, sum(item.count for item in book.holdings if item.parent_id == sale_id))
        who = {"sale_id": sale_id, "payee_id": payee.id, "certificate": certificate(payer).body, "now": NOW}
        try:
            pieces = refund_pieces(book.holdings, amount, start=drawn, **who)
        except Rejected as rejected:
            if rejected.code != "too_many_pieces":
                raise
            return
        payment = self.sign(payer, payee, pieces, sale_nonce(sale))
        self.books[payer.id] = hand_on(book, payment, operator=OPERATOR)
        self.show(payment, payee, is_refund=True)

    def signer_of(self, payment: Signed[Any]) -> bytes:
        below = bundle(payment, *self.documents).documents
        return payer_id(payment, {item.short_id: item for item in below})

    def total(self) -> int:
        return sum(item.count for book in self.books.values() for item in book.holdings)


def week(seed: int, steps: int) -> Week:
    world = Week(random.Random(seed))
    world.start()
    for _ in range(steps):
        world.step()
    return world


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 25))
def test_honest_phones_are_never_refused_or_named(seed, steps):
    world = week(seed, steps)
    assert double_spends(world.documents, operator=OPERATOR) == ()
    for payment in world.documents:
        if isinstance(payment.body, Payment):
            check_chain(bundle(payment, *world.documents), net=1, issuer_keys=(ISSUER_KEY.body,))
    for key in PEOPLE:
        book = world.books[key.id]
        mine = [(item.first, item.count) for item in book.holdings]
        assert units.disjoint(mine)
        assert all(not units.overlap((gone.first, gone.count), have) for gone in book.handed_on for have in mine)
        budget = certificate(key).body
        per_voucher: dict[bytes, int] = {}
        for claim in claims(book, owner_id=key.id):
            per_voucher[claim.terms.voucher_id] = per_voucher.get(claim.terms.voucher_id, 0) + claim.count
        final = final_before_close(budget=2000, claims=[(2000, count) for count in per_voucher.values()])
        assert promised(claims(book, owner_id=key.id), budget) == final
        assert forget_closed(book, now=NOW) == book
        assert forget_closed(book, now=NOW + 10**8) == Book()
    assert world.total() <= 5 * 5000


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 15))
def test_whoever_signs_a_unit_twice_is_named_and_proved_and_nobody_else(seed, steps):
    world = week(seed, steps)
    holders = [key for key in (*PEOPLE, MALLORY) if any(h.depth < 3 for h in world.books[key.id].holdings)]
    cheat = world.chance.choice(holders)
    victims = world.chance.sample([key for key in PEOPLE if key is not cheat], 2)
    holding = world.chance.choice([h for h in world.books[cheat.id].holdings if h.depth < 3])
    for victim in victims:
        count = world.chance.randint(holding.count // 2 + 1, holding.count)
        first = holding.first + world.chance.randint(0, holding.count - count)
        part = (Piece(parent_id=holding.parent_id, first=first, count=count),)
        world.sign(cheat, victim, part, world.nonce())
    found = double_spends(world.documents, operator=OPERATOR)
    assert {item.key_id for item in found} == {cheat.id}
    shuffled = world.chance.sample(world.documents * 2, 2 * len(world.documents))
    assert double_spends(shuffled, operator=OPERATOR) == found
    for item in found:
        pool = Bundle(
            documents=tuple(x for x in world.documents if not hasattr(x.body, "may_hand_on")),
            certificates=tuple(x for x in world.documents if hasattr(x.body, "may_hand_on")),
        )
        proof = make_proof(*item.payments, chains=(pool,), issuer_keys=(ISSUER_KEY,))
        named = verify_proof(proof, root_key=ROOT.public)
        assert named.key_id == item.key_id
        assert set(item.units) <= set(named.units)


def test_a_voucher_is_loaded_once():
    own = voucher(BEN)
    book = load(Book(), own)
    assert load(book, own) == book
    gone = hand_on(book, pay(BEN, CHI, *choose_pieces(book.holdings, 10, start=4)), operator=OPERATOR)
    assert load(gone, own) == gone
    assert sum(item.count for item in gone.holdings) == 4990


def test_nothing_is_handed_on_that_is_not_held():
    book = load(Book(), voucher(BEN))
    payment = pay(BEN, CHI, *choose_pieces(book.holdings, 10, start=4))
    gone = hand_on(book, payment, operator=OPERATOR)
    with pytest.raises(Rejected, match="not_enough_offline_money"):
        hand_on(gone, payment, operator=OPERATOR)


def test_old_locked_deep_and_receive_only_money_is_not_offered():
    mine = load(Book(), voucher(BEN)).holdings[0]
    who = {"owner_id": BEN.id, "payee_id": CHI.id, "now": NOW, "may_hand_on": True}
    deep = replace(mine, depth=3)
    received = replace(mine, depth=1)
    locked = replace(mine, terms=replace(mine.terms, audience_id=DAN.id))
    book = Book(holdings=(mine, deep, received, locked))
    assert spendable(book, **who) == (mine, received)
    assert spendable(book, **{**who, "may_hand_on": False}) == (mine,)
    assert spendable(book, **{**who, "payee_id": DAN.id}) == (mine, received, locked)
    assert spendable(book, **{**who, "now": mine.spend_by + 1}) == ()
    assert spendable(book, **{**who, "owner_id": ASHA.id}) == ()


def test_a_proof_needs_its_parents():
    own = voucher(ASHA)
    one, other = (pay(ASHA, payee, Piece(parent_id=own.short_id, first=FIRST, count=5)) for payee in (BEN, CHI))
    with pytest.raises(Rejected, match="parent_missing"):
        make_proof(one, other, chains=(), issuer_keys=(ISSUER_KEY,))


def test_the_same_numbers_of_two_vouchers_are_other_units():
    """Numbers are given out once per currency; in another currency they mean other money."""
    euros, dollars = voucher(ASHA), voucher(ASHA, currency=840)
    one = pay(ASHA, BEN, Piece(parent_id=euros.short_id, first=FIRST, count=5))
    other = pay(ASHA, CHI, Piece(parent_id=dollars.short_id, first=FIRST, count=5), currency=840)
    assert double_spends((euros, dollars, one, other), operator=OPERATOR) == ()


def test_nothing_is_promised_without_a_certificate_or_on_what_closed_before_it():
    book = accept(chained().bundle(1), context=context(BEN, 1250)).book
    received = claims(book, owner_id=BEN.id)
    assert promised(received, certificate(BEN).body) == 1250
    assert promised(received, None) == 0
    late = replace(certificate(BEN).body, issued_at=NOW + 14 * 86400, valid_until=NOW + 20 * 86400)
    assert promised(received, late) == 0


def test_branches_of_two_signers_or_two_vouchers_are_in_no_conflict():
    world = chained()
    to_ben, to_chi, _ = sorted(branches(world.documents, operator=OPERATOR), key=lambda item: len(item.lineage))
    assert in_conflict(to_ben, to_chi) is None
    assert in_conflict(to_ben, replace(to_ben, voucher_id=bytes(32))) is None


def test_a_payment_of_units_that_its_parent_does_not_have_is_not_silently_counted():
    own = voucher(ASHA)
    beyond = pay(ASHA, BEN, Piece(parent_id=own.short_id, first=FIRST + 5000, count=1))
    with pytest.raises(Rejected, match="piece_outside_parent"):
        branches((own, beyond), operator=OPERATOR)
