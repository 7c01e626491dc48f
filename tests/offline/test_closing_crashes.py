"""A close that dies anywhere is finished by the next one, and ends as if nothing had happened."""

import pytest

from crashes import Death
from offline.closes import assert_books_are_right, guarantee, online_of, states
from offline.conftest import OfflineParts, PhoneOf, let_claims_end
from offline.counted import CountedSteps, counting
from offline.phone import Phone, double_spend


async def a_double_spend(phone_of: PhoneOf) -> list[Phone]:
    mallory, ben, chi = await phone_of("mallory", "60.00"), await phone_of("ben"), await phone_of("chi")
    await mallory.load("50.00")
    double_spend(mallory, ben, chi, 2000)
    rest = ben.request(2000)
    ben.accept(mallory.sign_payment(rest, (mallory.voucher_piece(2000, 2000),)), rest)
    for phone in (ben, chi):
        await phone.sync()
    return [mallory, ben, chi]


STEPS = [
    "transaction", "begin_closing", "transaction", "open_account", "set_limits", "post_linked", "transaction",
    "post_many", "mark_payout_posted", "keep_exposure",
]  # fmt: skip


async def test_the_steps_of_a_close_are_all_counted(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str
) -> None:
    await a_double_spend(phone_of)
    await let_claims_end(database_url)
    steps = CountedSteps()
    with counting(offline_parts, steps):
        assert await offline_parts.offline.keep_up() == 1
    # A new step belongs into this list, and so gets crashes of its own below.
    assert steps.done == STEPS
    await assert_books_are_right(database_url)


@pytest.mark.parametrize("number", range(1, len(STEPS) + 1), ids=lambda at: f"{at}-{STEPS[at - 1]}")
async def test_a_close_that_dies_after_a_step_is_finished_by_the_next(
    phone_of: PhoneOf, offline_parts: OfflineParts, database_url: str, number: int
) -> None:
    phones = await a_double_spend(phone_of)
    await let_claims_end(database_url)
    with counting(offline_parts, CountedSteps(number)), pytest.raises(Death):
        await offline_parts.offline.keep_up()
    await offline_parts.offline.keep_up()
    assert await states(database_url) == ["closed"]
    # 20.00 were spent twice: 10.00 that he never spent, and the 10.00 in his wallet.
    assert await online_of(*phones) == (0, 4000, 2000)
    assert await guarantee(database_url) == 0
    await assert_books_are_right(database_url)
