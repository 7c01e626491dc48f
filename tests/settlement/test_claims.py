"""Claims by payment: what a key stands to get, shown before the close. Order and copies change nothing."""

import random
from collections.abc import Hashable
from typing import Any

import pytest

from protocol.world import ASHA, BEN, CHI, DAN, FIRST, ISSUER, MALLORY, chained, pay, piece, voucher
from settlement.reference import lineage_of, look_at
from settlement.worlds import RandomWorld
from tikicash.closing import CloseInput
from tikicash.holders import Claim, Holders, changes, sweep
from tikicash.messages import Payment

OPERATOR = frozenset({ISSUER.id})


def holders(given: CloseInput) -> Holders:
    found = changes(given.voucher, given.documents, refused=given.refused, operator=given.operator)
    return sweep(given.voucher.body, found, account_of=lambda key: given.account_of.get(key, key))


def claims(
    of: Any, *documents: Any, refused: frozenset[bytes] = frozenset(), same: tuple[Any, ...] = ()
) -> list[Claim]:
    """The claims on a voucher; `same` are keys of one person."""
    people: dict[bytes, Hashable] = {key.id: "one person" for key in same}
    given = CloseInput(
        voucher=of, documents=(of, *documents), refused=refused, operator=OPERATOR, account_of=people
    )  # fmt: skip
    return list(holders(given).claims)


def claims_by_hand(given: CloseInput) -> dict[tuple[bytes, bytes | None], list[int]]:
    """Units, shared ones and ones handed back, by key and payment: unit by unit, and slowly."""
    found: dict[tuple[bytes, bytes | None], list[int]] = {}
    payments = {item.id: item for item in given.documents if isinstance(item.body, Payment)}
    first, count = given.voucher.body.first, given.voucher.body.count
    for unit in range(first, first + count):
        lineages = {item.id: lineage_of(given, item, unit) for item in payments.values()}
        back = {way[:-1] for way in lineages.values() if way is not None and way[-1] in given.operator}
        keep = look_at(given, unit).keep
        for leaf in keep:
            brought = [(item in given.refused, item) for item, way in lineages.items() if way == leaf]
            at = (leaf[-1], min(brought)[1] if brought else None)
            sums = found.setdefault(at, [0, 0, 0])
            sums[0] += 1
            sums[1] += len(keep) > 1
            sums[2] += len(keep) == 1 and leaf in back
    return found


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
    (_, ben) = sorted(claims(of, to_ben, back), key=lambda claim: claim.payment_id is not None)
    assert (ben.count, ben.shared, ben.handed_back) == (1000, 0, 300)


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
def test_claims_by_payment_are_those_of_every_unit(seed: int) -> None:
    world = RandomWorld(seed)
    for on in world.vouchers:
        given = world.input_for(on)
        found = holders(given)
        by_payment = {
            (claim.key_id, claim.payment_id): [claim.count, claim.shared, claim.handed_back] for claim in found.claims
        }
        assert by_payment == claims_by_hand(given)
        for claim in found.claims:
            whole = sum(item.count - item.shared for item in found.claims if item.key_id == claim.key_id)
            assert whole == found.home.get(claim.key_id, 0) + found.sole.get(claim.key_id, 0)
