"""Choosing pieces: always the amount, never a unit twice, and always a payment that the payee's phone takes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    FIRST,
    ISSUER_KEY,
    MALLORY,
    NOW,
    certificate,
    code_of,
    pay,
    request,
    voucher,
)
from protocol.world import bundle as bundle_of
from tikicash import coins, units
from tikicash.book import Book, load, spendable
from tikicash.chain import LIMITS
from tikicash.coins import choose_pieces
from tikicash.errors import Rejected
from tikicash.messages import OPENS_MEMO, Bundle, Opening, memo_commitment, sign
from tikicash.rules import AcceptContext, accept
from tikicash.validity import check_chain


@st.composite
def purses(draw):
    """Vouchers of Ben and payments to him, all in his book."""
    counts = draw(st.lists(st.integers(1, 900), min_size=1, max_size=6))
    received = draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts)))
    book, documents = Book(), [certificate(BEN)]
    for number, (count, from_asha) in enumerate(zip(counts, received, strict=True)):
        first = FIRST + 8192 * number
        issued = voucher(ASHA if from_asha else BEN, first=first, count=1000)
        documents.append(issued)
        if not from_asha:
            book = load(book, issued)
            continue
        nonce = bytes([number]) * 8
        part = choose_pieces(load(Book(), issued).holdings, count, start=draw(st.integers(0, 2000)))
        payment = pay(ASHA, BEN, *part, nonce=nonce)
        documents.append(payment)
        asked = request(BEN, count, nonce=nonce).body
        given = AcceptContext(
            net=1,
            now=NOW,
            newest_signed_time=NOW,
            open_requests=(asked,),
            issuer_keys=(ISSUER_KEY.body,),
            revocations=None,
            my_keys=(BEN.public,),
            my_certificate=None,
            book=book,
        )
        book = accept(bundle_of(payment, issued), context=given).book
    return book, documents


@given(purses(), st.integers(1, 3000), st.integers(0, 2**32))
def test_what_is_chosen_sums_up_and_the_payee_accepts_it(purse, amount, start):
    book, documents = purse
    holdings = spendable(book, owner_id=BEN.id, payee_id=CHI.id, now=NOW, may_hand_on=True)
    total = sum(item.count for item in holdings)
    if amount > min(total, 2000):
        code = "not_enough_offline_money" if amount > total else "payment_above_limit"
        assert code_of(lambda: choose_pieces(holdings, amount, start=start)) == code
        return
    pieces = choose_pieces(holdings, amount, start=start)
    ranges = [(item.first, item.count) for item in pieces]
    assert sum(item.count for item in pieces) == amount
    assert units.disjoint(ranges)
    paid = pay(BEN, CHI, *pieces)
    chain = check_chain(bundle_of(paid, *documents), net=1, issuer_keys=(ISSUER_KEY.body,))
    assert chain.payment == paid
    alone = [item for item in holdings if item.count >= amount]
    assert not alone or len(pieces) == 1


@given(
    st.lists(st.tuples(st.integers(1, 900), st.booleans()), min_size=1, max_size=6),
    st.integers(1, 2000),
    st.integers(0, 99),
)
def test_what_is_locked_to_the_payee_is_used_up_before_anything_else_and_never_for_another(vouchers, amount, start):
    book = Book()
    for number, (count, is_locked) in enumerate(vouchers):
        audience_key = CHI.public if is_locked else None
        book = load(book, voucher(BEN, first=FIRST + 8192 * number, count=count, audience_key=audience_key))
    locked = {item.parent_id: item.count for item in book.holdings if item.terms.audience_id is not None}
    for payee, own in ((CHI, sum(locked.values())), (DAN, 0)):
        holdings = spendable(book, owner_id=BEN.id, payee_id=payee.id, now=NOW, may_hand_on=True)
        if sum(item.count for item in holdings) < amount:
            assert code_of(lambda: choose_pieces(holdings, amount, start=start)) == "not_enough_offline_money"  # noqa: B023 - used at once
            continue
        pieces = choose_pieces(holdings, amount, start=start)
        assert sum(item.count for item in pieces) == amount
        assert sum(item.count for item in pieces if item.parent_id in locked) == min(amount, own)


def test_the_rest_is_placed_by_the_random_number():
    holdings = load(Book(), voucher(BEN, count=1000)).holdings
    firsts = {choose_pieces(holdings, 900, start=start)[0].first for start in range(500)}
    assert firsts == set(range(FIRST, FIRST + 101))


def test_a_choice_of_many_vouchers_stays_within_every_limit():
    book = Book()
    for number in range(14):
        book = load(book, voucher(BEN, first=FIRST + 8192 * number, count=100, named=True))
    pieces = choose_pieces(book.holdings, 700, start=1)
    assert len(pieces) == 7
    with pytest.raises(Rejected, match="too_many_pieces"):
        choose_pieces(book.holdings, 1400, start=1)


def test_short_chains_are_tried_when_the_largest_holdings_do_not_fit():
    short = load(load(Book(), voucher(BEN, count=300)), voucher(BEN, first=FIRST + 8192, count=300)).holdings
    heavy = replace(short[0].ancestors[0], size=1500)
    long = [
        replace(
            short[0], parent_id=bytes([number]) * 16, count=400, ancestors=(replace(heavy, id=bytes([number]) * 32),)
        )
        for number in (7, 8)
    ]
    assert {item.parent_id for item in choose_pieces([*long, *short], 600, start=0)} == {
        item.parent_id for item in short
    }


def test_the_sizes_that_the_choice_reckons_with_are_the_largest():
    memo = Opening(opens=OPENS_MEMO, salt=bytes(16), text="m" * 128)
    name = Opening(opens=1, salt=bytes(16), text="n" * 64)
    of_ben = voucher(BEN, first=2**53 - 8192, count=5000)
    large = {"net": 2**32 - 1, "currency": 999, "total": 2**53 - 1, "memo_commit": memo_commitment(bytes(16), "m")}
    whole = load(Book(), of_ben).holdings[0]
    one = choose_pieces([whole], 2000, start=0)
    two = (*one, replace(one[0], first=2**53 - 100, count=1))
    paid = [pay(BEN, CHI, *pieces, **large).size for pieces in (one, two)]
    assert paid[0] <= coins.PAYMENT_BYTES + coins.PIECE_BYTES
    widest = replace(one[0], count=2**53 - 1, first=0)
    assert pay(BEN, CHI, *[widest] * 16, **large).size <= coins.PAYMENT_BYTES + 16 * coins.PIECE_BYTES
    body = replace(certificate(BEN, named=True).body, net=2**32 - 1, issuer=65535, cover_budget=2**53 - 1)
    body = replace(body, issued_at=2**33, valid_until=2**34)
    assert sign(body, MALLORY.signer).size <= coins.CERTIFICATE_BYTES
    frame = len(Bundle(documents=(), openings=(memo, name)).to_bytes())
    assert frame <= coins.OPENINGS_BYTES
    assert LIMITS.bytes_max == 2048
