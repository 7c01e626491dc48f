"""Stories about the choice of pieces."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from protocol.runner import plain
from protocol.stories_payment import Story
from protocol.world import BEN, CHI, DAN, DAY, FIRST, ISSUER_KEY, NOW, chained, voucher
from tikicash.book import Book, load, new_holdings, spendable
from tikicash.validity import check_chain


def coins() -> Iterator[Story]:
    own = load(load(Book(), voucher(BEN, count=700)), voucher(BEN, first=FIRST + 8192, count=600))
    mine = spendable(own, owner_id=BEN.id, payee_id=CHI.id, now=NOW, may_hand_on=True)
    world = chained()
    chain = check_chain(world.bundle(1), net=1, issuer_keys=(ISSUER_KEY.body,))
    received = new_holdings(chain, spend_by=NOW + DAY)
    yield picks("the smallest voucher that is enough, from a random position", mine, 500, 77)
    yield picks("a start beyond the end wraps around", mine, 500, 10**9)
    yield picks("two vouchers when one is not enough", mine, 1100, 3)
    yield picks("all of it leaves nothing to choose", mine, 1300, 5)
    yield picks("the shortest chain first, so that the code stays small", (*received, *mine), 600, 0)
    yield picks("one cent more than there is", mine, 1301, 0, "not_enough_offline_money")
    yield picks("above what the vouchers may pay at once", received * 2, 2001, 0, "payment_above_limit")
    scattered = tuple(replace(mine[0], first=FIRST + 2 * number, count=1) for number in range(17))
    yield picks("17 crumbs need 17 pieces", scattered, 17, 0, "too_many_pieces")
    yield picks("16 crumbs just fit", scattered, 16, 0)
    yield from locked_coins()


def locked_coins() -> Iterator[Story]:
    free = load(Book(), voucher(BEN, count=700))
    to_chi = {"cover": 0, "audience_key": CHI.public}
    small = load(free, voucher(BEN, first=FIRST + 8192, count=300, **to_chi))
    both = load(small, voucher(BEN, first=FIRST + 2 * 8192, count=900, **to_chi))
    given = {"owner_id": BEN.id, "payee_id": CHI.id, "now": NOW, "may_hand_on": True}
    yield picks("money locked to the payee goes first", spendable(both, **given), 200, 7)
    yield picks("the smallest locked voucher that is enough", spendable(both, **given), 500, 7)
    yield picks("both locked vouchers before any other", spendable(both, **given), 1100, 7)
    yield picks("locked money whole, and the rest of other money", spendable(small, **given), 800, 7)
    yield picks("all of both kinds", spendable(small, **given), 1000, 0)
    yield picks("one cent more than both kinds", spendable(small, **given), 1001, 0, "not_enough_offline_money")
    to_dan = {**given, "payee_id": DAN.id}
    yield picks("locked money is never for another", spendable(small, **to_dan), 200, 7)
    yield picks("nor when the rest is too little", spendable(small, **to_dan), 701, 7, "not_enough_offline_money")
    low = load(free, voucher(BEN, first=FIRST + 8192, count=300, payment_max=100, **to_chi))
    yield picks("a locked voucher that may pay less at once is left out", spendable(low, **given), 200, 7)
    yield picks("and does not count", spendable(low, **given), 800, 7, "payment_above_limit")
    one, *_ = spendable(load(Book(), voucher(BEN, count=100, **to_chi)), **given)
    crumbs = tuple(replace(one, first=FIRST + 2 * number, count=1) for number in range(17))
    yield picks("locked crumbs beyond the limits are taken like any other", (*crumbs[:16], *free.holdings), 20, 7)
    yield picks("16 locked crumbs go first as long as they fit", (*crumbs[:16], *free.holdings), 16, 7)
    yield picks("too many locked crumbs for one payment, though enough", crumbs, 17, 0, "too_many_pieces")


def picks(why: str, holdings: Any, amount: int, start: int, code: str | None = None) -> Story:
    return {
        "why": why,
        "check": "choose_pieces",
        "now": NOW,
        "input": {"amount": amount, "start": start},
        "context": {"holdings": plain(holdings)},
        "code": code,
    }
