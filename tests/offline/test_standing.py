"""Claims are a function of the set of documents: order and copies change nothing, and no unit is lost."""

import random
from collections import defaultdict
from typing import Any

import pytest

from protocol.world import ASHA, BEN, CHI, DAN, FIRST, ISSUER, MALLORY, chained, pay, piece, voucher
from settlement.paper import accounts
from settlement.worlds import RandomWorld
from tikicash.holders import changes, sweep
from tikiwallet.offline.standing import Claim, claims_on

OPERATOR = frozenset({ISSUER.id})


def claims(
    of: Any, *documents: Any, refused: frozenset[bytes] = frozenset(), same: tuple[Any, ...] = ()
) -> list[Claim]:
    """The claims on a voucher; `same` are keys of one person."""
    accounts = {key.id: "one person" for key in same}
    found = claims_on(
        of, (of, *documents), operator=OPERATOR, refused=refused, account_of=lambda key: accounts.get(key, key)
    )
    return list(found)


def counted(found: list[Claim]) -> dict[bytes, tuple[int, int]]:
    return {claim.key_id: (claim.count, claim.shared) for claim in found}


def test_a_chain_is_claimed_by_its_ends() -> None:
    chain = chained(1000)
    onward = pay(BEN, CHI, piece(chain.to_ben, FIRST + 700, 400))
    found = claims(chain.voucher, chain.to_ben, onward)
    assert counted(found) == {ASHA.id: (4000, 0), BEN.id: (600, 0), CHI.id: (400, 0)}
    assert {claim.key_id: claim.payer_id for claim in found} == {ASHA.id: None, BEN.id: ASHA.id, CHI.id: BEN.id}


def test_units_spent_twice_are_shared_by_both_payees() -> None:
    of = voucher(MALLORY)
    one, other = pay(MALLORY, BEN, piece(of, FIRST, 1000)), pay(MALLORY, CHI, piece(of, FIRST + 500, 1000))
    assert counted(claims(of, one, other)) == {
        MALLORY.id: (3500, 0), BEN.id: (1000, 500), CHI.id: (1000, 500),
    }  # fmt: skip


def test_the_double_spenders_own_phones_keep_nothing_of_it() -> None:
    of = voucher(MALLORY)
    honest, own = pay(MALLORY, BEN, piece(of, FIRST, 1000)), pay(MALLORY, DAN, piece(of, FIRST, 1000))
    assert counted(claims(of, honest, own, same=(MALLORY, DAN))) == {MALLORY.id: (4000, 0), BEN.id: (1000, 0)}
    # When only his own phones hold them, all of them keep their claim: nobody else is hurt.
    third = pay(MALLORY, CHI, piece(of, FIRST, 1000))
    assert counted(claims(of, own, third, same=(MALLORY, DAN, CHI)))[DAN.id] == (1000, 1000)


def test_a_hand_back_makes_no_branch_and_stays_a_claim() -> None:
    of = voucher(ASHA)
    to_ben = pay(ASHA, BEN, piece(of, FIRST, 1000))
    back = pay(BEN, ISSUER, piece(to_ben, FIRST, 300))
    (_, ben) = sorted(claims(of, to_ben, back), key=lambda claim: claim.payment is not None)
    assert (ben.count, ben.shared, ben.handed_back) == (1000, 0, ((FIRST, 300),))


def test_a_refused_payment_gives_nothing_but_what_was_passed_on_or_back() -> None:
    of = voucher(ASHA)
    to_ben = pay(ASHA, BEN, piece(of, FIRST, 1000))
    to_chi = pay(BEN, CHI, piece(to_ben, FIRST, 200))
    back = pay(BEN, ISSUER, piece(to_ben, FIRST + 200, 300))
    found = claims(of, to_ben, to_chi, back, refused=frozenset({to_ben.id}))
    assert counted(found) == {ASHA.id: (4500, 0), BEN.id: (300, 0), CHI.id: (200, 0)}


def test_two_payments_of_equal_lineage_are_one_claim() -> None:
    of = voucher(ASHA)
    one, again = pay(ASHA, BEN, piece(of, FIRST, 1000)), pay(ASHA, BEN, piece(of, FIRST, 1000), nonce=b"another!")
    found = claims(of, one, again)
    assert counted(found) == {ASHA.id: (4000, 0), BEN.id: (1000, 0)}
    # Refusing one of the two leaves the other.
    assert counted(claims(of, one, again, refused=frozenset({one.id})))[BEN.id] == (1000, 0)


@pytest.mark.parametrize("seed", range(30))
def test_order_and_copies_change_nothing_and_every_unit_is_claimed(seed: int) -> None:
    draw = random.Random(seed)
    of = voucher(MALLORY)
    documents: list[Any] = []
    keys = (BEN, CHI, DAN)
    for _ in range(12):  # payments of a cheat, and of whoever was paid
        source, signer = draw.choice([(of, MALLORY), *((item, _payee(item, keys)) for item in documents)])
        holding = source.body if source is of else source.body.pieces[0]
        start = draw.randrange(holding.count)
        count = draw.randrange(1, holding.count - start + 1)
        payee = draw.choice([key for key in keys if key is not signer])
        documents.append(pay(signer, payee, piece(source, holding.first + start, count)))
    found = claims(of, *documents)
    shuffled = [*documents, *draw.choices(documents, k=5)]
    draw.shuffle(shuffled)
    assert claims(of, *shuffled) == found
    # Every unit has an end: whole for whoever claims it alone, shared by the others.
    assert sum(claim.count - claim.shared for claim in found) <= of.body.count <= sum(claim.count for claim in found)


def _payee(payment: Any, keys: tuple[Any, ...]) -> Any:
    return next(key for key in keys if key.id == payment.body.payee_id)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_shown_before_the_close_is_what_the_close_counts(seed: int) -> None:
    world = RandomWorld(seed)
    owners = accounts(world.keys)
    for on in world.vouchers:
        close = world.input_for(on)
        found = claims_on(
            on, close.documents, operator=close.operator, refused=close.refused,
            account_of=lambda key: owners.get(key, key),
        )  # fmt: skip
        counts = sweep(
            on.body,
            changes(on, close.documents, refused=close.refused, operator=close.operator),
            account_of=lambda key: owners.get(key, key),
        )
        whole: dict[bytes, int] = defaultdict(int)
        claimed: dict[bytes, int] = defaultdict(int)
        for claim in found:
            whole[claim.key_id] += claim.count - claim.shared
            claimed[claim.key_id] += claim.count if claim.payment is not None else 0
        keys = {*whole, *counts.home, *counts.sole, *counts.claimed}
        for key in keys:
            assert whole[key] == counts.home.get(key, 0) + counts.sole.get(key, 0)
            # Units that came to a key in two ways are two claims and are counted once.
            assert claimed[key] >= counts.claimed.get(key, 0)
            assert (claimed[key] > 0) == (counts.claimed.get(key, 0) > 0)
