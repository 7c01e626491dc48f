"""What was given back offline is paid to whom it belongs, to the cent; who gave back what he spent is named."""

import itertools

import pytest

from offline.closes import assert_books_are_right, assert_paid_what_the_rule_says, guarantee, online_of, voucher_ids
from offline.conftest import OfflineParts, PhoneOf, let_claims_end
from offline.phone import double_spend
from offline.test_double_spends import proofs
from tikicash.rules import accept_claim


async def close_all(parts: OfflineParts, database_url: str) -> None:
    await let_claims_end(database_url)
    assert await parts.offline.keep_up() == 1
    await assert_books_are_right(database_url)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[::2])
async def test_money_given_back_and_spent_again_is_paid_once_whoever_syncs_first(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, order: tuple[int, ...]
) -> None:
    asha, ben, chi = people = [await phone_of("asha", "20.00"), await phone_of("ben"), await phone_of("chi")]
    await asha.load("20.00")
    sale = ben.paid_by(asha, 1000)
    for amount_minor in (150, 250):
        assert asha.accept(ben.give_back(sale, amount_minor), None).sale == sale.payment
    chi.paid_by(asha, 1400)
    for number in order:
        results = (await people[number].sync())["results"]
        assert {item["outcome"] for item in results} <= {"recorded", "known"}
    await close_all(offline_parts, database_url)
    assert await online_of(asha, ben, chi) == (0, 600, 1400)
    (voucher_id,) = await voucher_ids(database_url)
    await assert_paid_what_the_rule_says(database_url, voucher_id, people)
    assert await proofs(database_url) == []
    assert await guarantee(database_url) == 0


async def test_a_claim_only_refund_is_credited_from_the_payers_copy_alone(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi, dan = [await phone_of("asha", "9.00"), *[await phone_of(name) for name in ("ben", "chi", "dan")]]
    await asha.load("9.00")
    ben.paid_by(asha, 900)
    chi.paid_by(ben, 900)
    sale = dan.paid_by(chi, 900)
    claim = chi.accept(dan.give_back(sale, 400), None, check=accept_claim)
    assert (claim.chain.depth, claim.how_safe.protected) == (4, 400)
    await chi.sync()
    await close_all(offline_parts, database_url)
    assert await online_of(asha, ben, chi, dan) == (0, 0, 400, 500)
    assert await proofs(database_url) == []


async def test_a_claim_only_refund_can_be_handed_back_before_the_close(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, chi, dan = [await phone_of("asha", "9.00"), *[await phone_of(name) for name in ("ben", "chi", "dan")]]
    await asha.load("9.00")
    ben.paid_by(asha, 900)
    chi.paid_by(ben, 900)
    claim = chi.accept(dan.give_back(dan.paid_by(chi, 900), 900), None, check=accept_claim)
    chi.bundles.append(chi.hand_back_pieces(claim))
    results = (await chi.sync())["results"]
    assert {item["outcome"] for item in results} == {"recorded"}
    assert await online_of(chi) == (900,)
    await close_all(offline_parts, database_url)
    assert await online_of(asha, ben, chi, dan) == (0, 0, 900, 0)


async def test_whoever_gives_back_what_he_spent_is_named_and_nobody_else(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    asha, ben, gil = await phone_of("asha", "20.00"), await phone_of("ben"), await phone_of("gil")
    await asha.load("20.00")
    sale = ben.paid_by(asha, 1000)
    gil.paid_by(ben, 1000)
    given = asha.accept(ben.give_back(sale, 1000, from_book=False), None)
    assert given.how_safe.protected == 1000  # the ordinary safety: nobody at this counter can know more
    for phone in (asha, gil, ben):
        await phone.sync()
    assert {row["key_id"] for row in await proofs(database_url)} == {ben.id}
    await close_all(offline_parts, database_url)
    assert await online_of(asha, gil) == (2000, 1000)
    assert await guarantee(database_url) == 1000


async def test_a_payer_who_cheated_keeps_nothing_of_what_comes_back(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    mallory, ben, chi = await phone_of("mallory", "20.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("20.00")
    sale, _ = double_spend(mallory, ben, chi, 1000)
    ben.give_back(sale, 1000)  # her own book would refuse it, and its copy counts all the same
    for phone in (mallory, ben, chi):
        await phone.sync()
    assert {row["key_id"] for row in await proofs(database_url)} == {mallory.id}
    await close_all(offline_parts, database_url)
    assert await online_of(ben, chi) == (0, 1000)
    assert sum(await online_of(mallory, ben, chi)) <= 2000
