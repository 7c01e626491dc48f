"""Cases that were found once and must stay as they are, and a few that show what the rule does not do."""

import time
from dataclasses import replace
from itertools import permutations

import pytest

from settlement.paper import FIRST, NOW, OPERATOR, Key, close_input, pay, piece, voucher
from tikicash.book import Book, Claim, claims, forget_closed, hand_on, load, terms_of
from tikicash.closing import settle
from tikicash.messages import Certificate
from tikicash.safety import promised
from tikicash.settlement import double_spends

ASHA, BEN, CHI, DAN, EVE = (Key(name) for name in ("Asha", "Ben", "Chi", "Dan", "Eve"))
KEYS = (ASHA, BEN, CHI, DAN, EVE)


def names(documents):
    found = double_spends(documents, operator=frozenset({OPERATOR.id}))
    return {key.name for key in KEYS for item in found if item.key_id == key.id}


def paid(on, documents, keys=KEYS, **money):
    result = settle(close_input(on, documents, keys, **money))
    return dict(result.payouts)


def test_a_key_that_holds_one_unit_twice_over_claims_it_once():
    """Asha pays Ben a unit, and Chi the same one who passes it to Ben: his cover is for one unit and not for two."""
    on = voucher(ASHA, 2, cover=20)
    to_ben, to_chi = pay(BEN, piece(on, 0, 1)), pay(CHI, piece(on, 0, 1))
    chi_to_ben = pay(BEN, to_chi)
    result = settle(close_input(on, [to_ben, to_chi, chi_to_ben], KEYS, budgets={BEN: 20}))
    assert result.shares[BEN.id].claimed == 1
    assert result.shares[BEN.id].top == 0


def test_an_honest_retry_under_a_new_nonce_names_nobody_and_is_paid_once():
    on = voucher(ASHA, 10)
    documents = [pay(BEN, piece(on, 0, 10), nonce=nonce) for nonce in range(3)]
    assert names([on, *documents]) == set()
    assert paid(on, documents) == {"Ben": 10}


def test_two_payments_with_one_short_name_are_two_payments():
    """Whoever makes both messages may look for two that start alike; it wins nothing in either order."""
    on = voucher(ASHA, 10)
    to_ben, to_chi = pay(BEN, piece(on, 0, 10)), pay(CHI, piece(on, 0, 10))
    to_chi = replace(to_chi, id=to_ben.short_id + to_chi.id[16:])
    assert to_ben.short_id == to_chi.short_id
    for documents in ([to_ben, to_chi], [to_chi, to_ben]):
        assert names([on, *documents]) == {"Asha"}
        assert paid(on, documents, own={"Asha": 10}) == {"Ben": 10, "Chi": 10}
    # What stands on such a name stands on the same one of the two everywhere.
    onward = pay(DAN, to_ben)
    results = [settle(close_input(on, documents, KEYS)) for documents in permutations((to_ben, to_chi, onward))]
    assert all(result == results[0] for result in results)


def test_two_phones_of_one_person_share_what_a_cheat_paid_to_both_and_the_cheat_is_named():
    bens_other_phone = Key("Ben 2", "Ben")
    on = voucher(ASHA, 10)
    documents = [pay(BEN, piece(on, 0, 10)), pay(bens_other_phone, piece(on, 0, 10))]
    assert names([on, *documents]) == {"Asha"}
    result = settle(close_input(on, documents, (*KEYS, bens_other_phone), own={"Asha": 10}))
    assert (result.shares[BEN.id].shared, result.shares[bens_other_phone.id].shared) == (10, 10)
    assert result.payouts == {"Ben": 20}


def test_a_restored_copy_that_only_shows_again_harms_nobody():
    on = voucher(ASHA, 10)
    to_ben = pay(BEN, piece(on, 0, 6))
    to_chi = pay(CHI, piece(to_ben, 0, 4))
    assert names([on, to_ben, to_chi, to_ben, to_chi]) == set()
    assert paid(on, [to_chi, to_ben, to_ben]) == paid(on, [to_ben, to_chi]) == {"Asha": 4, "Ben": 2, "Chi": 4}


def test_a_payment_that_nobody_brought_goes_back_to_whoever_handed_it_on():
    on = voucher(ASHA, 10)
    to_ben = pay(BEN, piece(on, 0, 10))
    assert paid(on, [to_ben]) == {"Ben": 10}  # what he paid Chi never arrived
    assert paid(on, []) == {"Asha": 10}


def test_a_hand_back_after_a_refusal_takes_the_refusal_back():
    """The one case in which a hand-back matters: with a refusal of the same units it contradicts it, and counts."""
    on = voucher(ASHA, 10)
    to_ben = pay(BEN, piece(on, 0, 10))
    back = pay(OPERATOR, to_ben)
    assert paid(on, [to_ben], refused=[to_ben]) == {"Asha": 10}
    assert paid(on, [to_ben, back], refused=[to_ben]) == {"Ben": 10}


def test_units_handed_back_and_then_paid_go_to_the_payee_and_the_advance_is_a_debt():
    on = voucher(ASHA, 10)
    to_ben = pay(BEN, piece(on, 0, 10))
    documents = [to_ben, pay(OPERATOR, to_ben), pay(CHI, to_ben)]
    result = settle(close_input(on, documents, KEYS, advanced={"Ben": 10}))
    assert (result.payouts, result.debts) == ({"Chi": 10}, {"Ben": 10})
    assert names([on, *documents]) == set()  # hand-backs make no branch: it is the debt that tells


def test_a_cheat_who_pays_two_phones_of_his_own_shrinks_what_makes_his_victims_good():
    """The rule as it stands keeps all leaves where only the culprit's are left, and counts them as a double spend.

    Ten units, five to Ben and to Chi. If Asha keeps the other five, they make both whole. If she pays them to two
    phones of her own, they are disputed, she owes herself, and her victims get less: 5 of them stay with her. An
    accomplice would do as much for her, so no promise breaks; but here she needs none.
    """
    phones = (Key("Asha 2", "Asha"), Key("Asha 3", "Asha"))
    on = voucher(ASHA, 10)
    victims = [pay(BEN, piece(on, 0, 5)), pay(CHI, piece(on, 0, 5))]
    to_herself = [pay(phone, piece(on, 5, 5)) for phone in phones]
    assert paid(on, victims) == {"Ben": 5, "Chi": 5}
    with_it = settle(close_input(on, [*victims, *to_herself], (*KEYS, *phones)))
    assert sum(with_it.payouts.values()) == 10
    assert with_it.payouts["Asha"] == 5
    assert {with_it.payouts["Ben"], with_it.payouts["Chi"]} == {2, 3}
    # And the guarantee for her is paid to herself.
    everything = [pay(phone, piece(on, 0, 10)) for phone in phones]
    alone = settle(close_input(on, everything, (*KEYS, *phones), guarantees={"Asha": 5}))
    assert (alone.payouts, alone.from_operator) == ({"Asha": 15}, 5)


def certificate(budget, issued_at):
    return Certificate(
        net=1,
        issuer=1,
        key=BEN.public,
        issued_at=issued_at,
        valid_until=NOW + 10**6,
        tier=2,
        cover_budget=budget,
        may_hand_on=True,
        name_commit=None,
    )


def test_a_phone_that_forgets_by_its_clock_promises_its_budget_twice():
    """Why forget_closed is given the date of the newest certificate: the budget that it knows is older than the close.

    The certificate is of NOW + 100, the first voucher closes at NOW + 200, and the phone stays without a network.
    """
    first = voucher(ASHA, 20, cover=20, claim_by=NOW + 200)
    second = voucher(CHI, 20, cover=20, claim_by=NOW + 900, first=5000)
    old = certificate(20, NOW + 100)
    one, two = (Claim(terms=terms_of(on), count=20) for on in (first, second))
    by_certificate = promised((one, two), old) - promised((one,), old)
    by_clock = promised((two,), old)  # the first was forgotten at NOW + 201
    assert (by_certificate, by_clock) == (0, 20)
    # The budget is used up by the close of the first, so nothing is left of what the clock made the screen say.
    documents = [pay(BEN, piece(first, 0, 20)), pay(DAN, piece(first, 0, 20)), pay(EVE, piece(first, 0, 20))]
    result = settle(close_input(first, documents, KEYS, budgets={BEN: 20}))
    assert result.shares[BEN.id].top == 13


def test_forgetting_by_the_certificate_keeps_what_it_still_counts():
    on = voucher(BEN, 20, claim_by=NOW + 200)
    book = hand_on(load(Book(), on), pay(OPERATOR, piece(on, 0, 5)), operator=frozenset({OPERATOR.id}))
    assert forget_closed(book, now=NOW + 100) == book
    assert forget_closed(book, now=NOW + 201) == Book()
    assert claims(book, owner_id=BEN.id) == ()


def test_a_final_part_booked_on_one_voucher_becomes_a_debt_when_a_younger_one_closes_first():
    """Why the final part is owed by the key and set off at every close.

    A till holds 20 of voucher B: all of it is final (budget 20) and released at once. Then it takes 20 of A, which
    closes earlier. Both were spent four times. A's close uses 15 of the budget, so B's can add 5 only.
    """
    till = BEN
    a, b = voucher(ASHA, 20, cover=20), voucher(ASHA, 20, cover=20, first=5000, claim_by=NOW + 300)
    shares = []
    budget = 20
    for on in (a, b):
        documents = [pay(key, on) for key in (till, CHI, DAN, EVE)]
        shares.append(settle(close_input(on, documents, KEYS, budgets={till: budget})).shares[till.id])
        budget -= shares[-1].top
    assert [share.total for share in shares] == [20, 10]
    assert budget == 0
    released = 20
    booked_on_b = max(0, released - shares[1].total)
    set_off_at_every_close = max(0, released - shares[0].total - shares[1].total)
    assert (booked_on_b, set_off_at_every_close) == (10, 0)


@pytest.mark.parametrize("count", [10, 10**9])
def test_the_cost_does_not_depend_on_the_amount(count):
    on = voucher(ASHA, count, first=FIRST)
    part = count // 5
    documents = [pay(key, piece(on, 0, part)) for key in (BEN, CHI, DAN)]
    started = time.process_time()
    result = settle(close_input(on, documents, KEYS))
    assert time.process_time() - started < 0.05
    assert sum(result.payouts.values()) == count


@pytest.mark.parametrize("step", [0, 1, 2500], ids=["the same units", "one unit on", "side by side"])
def test_five_thousand_payments_close_in_seconds_however_they_overlap(step):
    """A cheat may sign to keys that cost him nothing: overlaps must not make a close expensive."""
    many, length = 5000, 2500
    on = voucher(ASHA, many * max(step, 1) + length)
    documents = [pay(Key(f"free key {number}", None), piece(on, number * step, length)) for number in range(many)]
    started = time.process_time()
    result = settle(close_input(on, documents, (ASHA,)))
    assert time.process_time() - started < 20
    assert sum(result.payouts.values()) == on.body.count + sum(item.from_online for item in result.liabilities.values())
