"""Where nobody spent a unit twice, a look at the payments in order says what the sweep says."""

import random

import pytest

from settlement.paper import OPERATOR, Key, pay, piece, voucher
from tikicash.holders import Holders, changes, sweep
from tikicash.messages import key_id
from tikicash.plain import Taken, plain_holders

COUNT = 40


def as_plain(holders: Holders) -> tuple[object, ...]:
    def amounts(found: object) -> dict[bytes, int]:
        return {key: amount for key, amount in dict(found).items() if amount}  # type: ignore[call-overload]

    return (*map(amounts, (holders.home, holders.sole, holders.claimed, holders.owed)), holders.claims)


@pytest.mark.parametrize("seed", range(300))
def test_the_holders_are_those_of_the_sweep_or_there_is_a_unit_that_was_taken_twice(seed: int) -> None:
    draw = random.Random(seed)
    owner, payees = Key("asha"), [Key("asha"), Key("ben"), Key("chi")]
    on = voucher(owner, COUNT)
    payments = []
    at = 0
    while at < COUNT:
        count = draw.randint(1, 6)
        overlap = draw.randint(0, 1) if seed % 3 == 0 and at else 0
        if draw.random() < 0.8 and at - overlap + count <= COUNT:
            payments.append(pay(draw.choice(payees), piece(on, at - overlap, count), nonce=at))
        at += count
    taken = [
        Taken(
            item.body.pieces[0].first,
            item.body.pieces[0].first + item.body.pieces[0].count,
            item.body.payee_id,
            item.id,
        )
        for item in payments
    ]
    draw.shuffle(taken)
    found = plain_holders(key_id(on.body.key), first=on.body.first, count=COUNT, taken=taken)
    twice = sum(item.end - item.first for item in taken) > len(
        {unit for item in taken for unit in range(item.first, item.end)}
    )
    assert (found is None) == twice
    if found is not None:
        swept = changes(on, payments, refused=frozenset(), operator=frozenset({OPERATOR.id}))
        assert as_plain(found) == as_plain(sweep(on.body, swept, account_of=lambda key: key))
