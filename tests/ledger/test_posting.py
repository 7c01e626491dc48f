"""What becomes of a transfer, told once for both ledgers."""

from uuid import UUID

import msgspec
import pytest
from ledger_books import ACCOUNT, NO_FLOOR, balance, move, open_wallet

from tikiwallet.ledger.types import (
    AMOUNT_MINOR_MAX,
    BALANCE_MINOR_MAX,
    BATCH_SIZE_MAX,
    AccountId,
    AccountKind,
    Ledger,
    Limits,
    PostOutcome,
    Transfer,
    TransferKind,
)

BANK, ALICE, BOB, CAROL = ACCOUNT.values()
NOBODY = AccountId(UUID(int=99))


async def outcome_of(ledger: Ledger, transfer: Transfer) -> PostOutcome:
    """The outcome of one transfer; only a transfer that stands has an instant."""
    result = await ledger.post(transfer)
    assert (result.posted_at is not None) == result.is_posted
    return result.outcome


async def test_a_transfer_moves_money(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB)
    assert await outcome_of(ledger, move(ALICE, BOB, 20)) is PostOutcome.POSTED
    assert [await balance(ledger, account) for account in (BANK, ALICE, BOB)] == [-50, 30, 20]


async def test_a_retried_transfer_moves_money_once(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB)
    transfer = move(ALICE, BOB, 20, note="lunch")
    first = await ledger.post(transfer)
    again = await ledger.post(transfer)
    assert (first.outcome, again.outcome) == (PostOutcome.POSTED, PostOutcome.ALREADY_POSTED)
    assert again.posted_at == first.posted_at
    assert await balance(ledger, BOB) == 20


CHANGES: list[dict[str, object]] = [
    {"amount_minor": 21},
    {"note": "dinner"},
    {"kind": TransferKind.CORRECTION},
    {"currency": "EUR"},
    {"debit_account_id": BANK},
    {"credit_account_id": CAROL},
    {"debit_account_id": BOB, "credit_account_id": ALICE},
    {"debit_account_id": NOBODY},
    {"credit_account_id": NOBODY},
]


async def test_an_id_belongs_to_one_content(ledger: Ledger) -> None:
    for account in (ALICE, BOB, CAROL):
        await open_wallet(ledger, account, holds=50)
    transfer = move(ALICE, BOB, 20, note="lunch")
    assert await outcome_of(ledger, transfer) is PostOutcome.POSTED
    for change in CHANGES:
        other = msgspec.structs.replace(transfer, **change)
        assert await outcome_of(ledger, other) is PostOutcome.DIFFERS_FROM_POSTED, change
        assert [r.outcome for r in await ledger.post_many([other, transfer])] == [
            PostOutcome.DIFFERS_FROM_POSTED,
            PostOutcome.ALREADY_POSTED,
        ], change
    assert await balance(ledger, ALICE) == 30


async def test_nobody_spends_more_than_they_have(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB)
    assert await outcome_of(ledger, move(ALICE, BOB, 51)) is PostOutcome.INSUFFICIENT_FUNDS
    assert await outcome_of(ledger, move(ALICE, BOB, 50)) is PostOutcome.POSTED
    assert await outcome_of(ledger, move(ALICE, BOB, 1)) is PostOutcome.INSUFFICIENT_FUNDS


async def test_a_refusal_is_not_remembered(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE)
    await open_wallet(ledger, BOB)
    transfer = move(ALICE, BOB, 20)
    assert await outcome_of(ledger, transfer) is PostOutcome.INSUFFICIENT_FUNDS
    assert await ledger.posted(transfer.transfer_id) is None
    await ledger.post(move(BANK, ALICE, 20))
    assert await outcome_of(ledger, transfer) is PostOutcome.POSTED
    assert await ledger.posted(transfer.transfer_id) == transfer


async def test_an_account_may_have_an_overdraft(ledger: Ledger) -> None:
    await open_wallet(ledger, BOB)
    till = await ledger.open_account(
        ALICE, kind=AccountKind.GUARANTEE, currency="SGD", limits=Limits(balance_min_minor=-30)
    )
    assert till.balance_minor == 0
    assert await outcome_of(ledger, move(ALICE, BOB, 31)) is PostOutcome.INSUFFICIENT_FUNDS
    assert await outcome_of(ledger, move(ALICE, BOB, 30)) is PostOutcome.POSTED


async def test_a_ceiling_holds_and_a_lowered_one_lets_money_leave(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50, balance_max_minor=60)
    await open_wallet(ledger, BOB)
    assert await outcome_of(ledger, move(BANK, ALICE, 11)) is PostOutcome.LIMIT_EXCEEDED
    too_much = await ledger.post_many([move(BANK, ALICE, 11), move(BANK, ALICE, 12)])
    assert [r.outcome for r in too_much] == [PostOutcome.LIMIT_EXCEEDED] * 2
    assert await outcome_of(ledger, move(BANK, ALICE, 10)) is PostOutcome.POSTED
    await ledger.set_limits(ALICE, Limits(balance_max_minor=20))
    assert await outcome_of(ledger, move(BANK, ALICE, 1)) is PostOutcome.LIMIT_EXCEEDED
    assert await outcome_of(ledger, move(ALICE, BOB, 10)) is PostOutcome.POSTED
    assert await balance(ledger, ALICE) == 50


async def test_a_day_limit_counts_what_left_today(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=100, out_per_day_max_minor=30)
    await open_wallet(ledger, BOB, holds=50)
    assert await outcome_of(ledger, move(ALICE, BOB, 20)) is PostOutcome.POSTED
    assert await outcome_of(ledger, move(BOB, ALICE, 20)) is PostOutcome.POSTED  # what comes in gives nothing back
    assert await outcome_of(ledger, move(ALICE, BOB, 11)) is PostOutcome.LIMIT_EXCEEDED
    assert await outcome_of(ledger, move(ALICE, BOB, 10)) is PostOutcome.POSTED
    await ledger.set_limits(ALICE, Limits(out_per_day_max_minor=5))
    assert await outcome_of(ledger, move(ALICE, BOB, 1)) is PostOutcome.LIMIT_EXCEEDED
    assert await outcome_of(ledger, move(BOB, ALICE, 1)) is PostOutcome.POSTED
    await ledger.set_limits(ALICE, Limits())
    assert await outcome_of(ledger, move(ALICE, BOB, 50)) is PostOutcome.POSTED


async def test_a_month_limit_counts_what_left_this_month_beside_the_day(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=100, out_per_day_max_minor=50, out_per_month_max_minor=30)
    await open_wallet(ledger, BOB)
    assert await outcome_of(ledger, move(ALICE, BOB, 20)) is PostOutcome.POSTED
    eleven, ten = move(ALICE, BOB, 11), move(ALICE, BOB, 10)
    assert await outcome_of(ledger, eleven) is PostOutcome.LIMIT_EXCEEDED
    refused, posted = await ledger.post_many([eleven, ten])
    assert (refused.outcome, posted.outcome) == (PostOutcome.LIMIT_EXCEEDED, PostOutcome.POSTED)
    account = (await ledger.accounts([ALICE]))[ALICE]
    assert (account.out_today_minor, account.out_this_month_minor) == (30, 30)
    await ledger.set_limits(ALICE, Limits(out_per_day_max_minor=50, out_per_month_max_minor=31))
    assert await outcome_of(ledger, move(ALICE, BOB, 1)) is PostOutcome.POSTED


async def test_what_left_before_a_limit_was_set_counts(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=100)
    await open_wallet(ledger, BOB)
    await ledger.post(move(ALICE, BOB, 20))
    await ledger.set_limits(ALICE, Limits(out_per_day_max_minor=20))
    assert await outcome_of(ledger, move(ALICE, BOB, 1)) is PostOutcome.LIMIT_EXCEEDED


async def test_an_unknown_account_is_refused(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    for pair in ((NOBODY, ALICE), (ALICE, NOBODY), (NOBODY, AccountId(UUID(int=98)))):
        transfer = move(*pair, 10)
        assert await outcome_of(ledger, transfer) is PostOutcome.ACCOUNT_UNKNOWN
        assert [r.outcome for r in await ledger.post_many([transfer])] == [PostOutcome.ACCOUNT_UNKNOWN]


async def test_currencies_never_mix(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB, holds=50, currency="EUR")
    await open_wallet(ledger, CAROL, holds=50)
    for transfer in (
        move(ALICE, BOB, 10),
        move(ALICE, BOB, 10, currency="EUR"),
        move(ALICE, CAROL, 10, currency="EUR"),
    ):
        assert await outcome_of(ledger, transfer) is PostOutcome.CURRENCY_DIFFERS


async def test_a_closed_account_takes_and_gives_nothing(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB)
    kept = move(ALICE, BOB, 20)
    await ledger.post(kept)
    await ledger.post(move(BOB, ALICE, 20))
    await ledger.close_account(BOB)
    await ledger.close_account(BOB)
    assert (await ledger.accounts([BOB]))[BOB].closed
    assert await outcome_of(ledger, move(ALICE, BOB, 10)) is PostOutcome.ACCOUNT_CLOSED
    assert await outcome_of(ledger, move(BOB, ALICE, 10)) is PostOutcome.ACCOUNT_CLOSED
    assert await outcome_of(ledger, kept) is PostOutcome.ALREADY_POSTED


async def test_refusals_are_judged_in_the_documented_order(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, out_per_day_max_minor=0)
    await open_wallet(ledger, BOB, balance_max_minor=0)
    await open_wallet(ledger, CAROL, currency="EUR")
    assert await outcome_of(ledger, move(CAROL, NOBODY, 1)) is PostOutcome.ACCOUNT_UNKNOWN
    await ledger.close_account(CAROL)
    assert await outcome_of(ledger, move(ALICE, CAROL, 1)) is PostOutcome.CURRENCY_DIFFERS
    assert await outcome_of(ledger, move(ALICE, BOB, 1)) is PostOutcome.INSUFFICIENT_FUNDS
    await ledger.close_account(BOB)
    assert await outcome_of(ledger, move(ALICE, BOB, 1)) is PostOutcome.ACCOUNT_CLOSED


async def test_no_balance_leaves_its_range(ledger: Ledger) -> None:
    """A thousand of the largest transfers reach the range of a balance exactly; one more unit is refused."""
    await open_wallet(ledger, ALICE)
    await ledger.open_account(BOB, kind=AccountKind.GUARANTEE, currency="SGD", limits=NO_FLOOR)
    full = [move(BANK, ALICE, AMOUNT_MINOR_MAX) for _ in range(BALANCE_MINOR_MAX // AMOUNT_MINOR_MAX)]
    assert {r.outcome for r in await ledger.post_many(full)} == {PostOutcome.POSTED}
    assert await balance(ledger, ALICE) == BALANCE_MINOR_MAX
    over_and_under = [move(BOB, ALICE, 1), move(BANK, BOB, 1)]
    for transfer in over_and_under:
        assert await outcome_of(ledger, transfer) is PostOutcome.LIMIT_EXCEEDED
    batch = [*over_and_under, move(ALICE, BOB, 1), move(BOB, ALICE, 1), move(BOB, ALICE, 1)]
    assert [r.outcome for r in await ledger.post_many(batch)] == [
        PostOutcome.LIMIT_EXCEEDED,
        PostOutcome.LIMIT_EXCEEDED,
        PostOutcome.POSTED,
        PostOutcome.POSTED,
        PostOutcome.LIMIT_EXCEEDED,
    ]
    # What left the bank today stands at the top of its range, and still refuses.
    await ledger.set_limits(BANK, Limits(balance_min_minor=None, out_per_day_max_minor=BALANCE_MINOR_MAX))
    await ledger.post(move(ALICE, BANK, 1))
    assert await outcome_of(ledger, move(BANK, BOB, 1)) is PostOutcome.LIMIT_EXCEEDED


async def test_a_day_of_more_than_the_range_is_counted_to_its_top(ledger: Ledger) -> None:
    """Money that circles all day passes the range of a day's sum; the sum stays at its top and nothing breaks."""
    await ledger.open_account(BANK, kind=AccountKind.BANK, currency="SGD", limits=NO_FLOOR)
    await ledger.open_account(BOB, kind=AccountKind.GUARANTEE, currency="SGD", limits=NO_FLOOR)
    there = [move(BANK, BOB, AMOUNT_MINOR_MAX) for _ in range(BATCH_SIZE_MAX)]
    back = [move(BOB, BANK, AMOUNT_MINOR_MAX) for _ in range(BATCH_SIZE_MAX)]
    for batch in (there, back):
        assert {r.outcome for r in await ledger.post_many(batch)} == {PostOutcome.POSTED}
    assert await outcome_of(ledger, move(BANK, BOB, AMOUNT_MINOR_MAX)) is PostOutcome.POSTED
    two = [move(BANK, BOB, AMOUNT_MINOR_MAX) for _ in range(2)]
    assert [r.outcome for r in await ledger.post_many(two)] == [PostOutcome.POSTED] * 2
    await ledger.set_limits(BANK, Limits(balance_min_minor=None, out_per_day_max_minor=BALANCE_MINOR_MAX))
    assert await outcome_of(ledger, move(BANK, BOB, 1)) is PostOutcome.LIMIT_EXCEEDED


async def test_a_batch_is_posted_in_its_order(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=10)
    await open_wallet(ledger, BOB)
    await open_wallet(ledger, CAROL)
    twice = move(BOB, CAROL, 10)
    reused = move(BOB, CAROL, 9, transfer_id=twice.transfer_id)
    batch = [twice, move(ALICE, BOB, 10), twice, twice, reused, move(ALICE, BOB, 1)]
    assert [r.outcome for r in await ledger.post_many(batch)] == [
        PostOutcome.INSUFFICIENT_FUNDS,
        PostOutcome.POSTED,
        PostOutcome.POSTED,
        PostOutcome.ALREADY_POSTED,
        PostOutcome.DIFFERS_FROM_POSTED,
        PostOutcome.INSUFFICIENT_FUNDS,
    ]
    assert [p.amount_minor for p in await ledger.statement(BOB)] == [-10, 10]


async def test_an_empty_batch_does_nothing(ledger: Ledger) -> None:
    assert await ledger.post_many([]) == []
    assert await ledger.post_linked([]) == []


async def test_linked_transfers_stand_together(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=10)
    await open_wallet(ledger, BOB)
    await open_wallet(ledger, CAROL)
    linked = [move(ALICE, BOB, 10), move(BOB, CAROL, 10)]
    assert [r.outcome for r in await ledger.post_linked(linked)] == [PostOutcome.POSTED] * 2
    again = await ledger.post_linked(linked)
    assert [r.outcome for r in again] == [PostOutcome.ALREADY_POSTED] * 2
    assert await balance(ledger, CAROL) == 10
    longer = [*linked, move(CAROL, ALICE, 4)]
    assert [r.outcome for r in await ledger.post_linked(longer)] == [
        PostOutcome.ALREADY_POSTED,
        PostOutcome.ALREADY_POSTED,
        PostOutcome.POSTED,
    ]


async def test_linked_transfers_fall_together(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=10)
    await open_wallet(ledger, BOB)
    await open_wallet(ledger, CAROL)
    stands = move(ALICE, BOB, 1)
    await ledger.post(stands)
    first = move(ALICE, BOB, 9)
    linked = [first, first, stands, move(BOB, CAROL, 11), stands, move(ALICE, BOB, 1)]
    results = await ledger.post_linked(linked)
    assert [r.outcome for r in results] == [
        PostOutcome.LINKED_REFUSED,
        PostOutcome.LINKED_REFUSED,
        PostOutcome.ALREADY_POSTED,
        PostOutcome.INSUFFICIENT_FUNDS,
        PostOutcome.ALREADY_POSTED,
        PostOutcome.LINKED_REFUSED,
    ]
    assert [r.posted_at is not None for r in results] == [False, False, True, False, True, False]
    assert [await balance(ledger, account) for account in (ALICE, BOB, CAROL)] == [9, 1, 0]
    assert await ledger.posted(first.transfer_id) is None
    assert [p.posting_no for p in await ledger.statement(ALICE)] == [2, 1]


IMPOSSIBLE = {
    "nothing": move(ALICE, BOB, 0),
    "less than nothing": move(ALICE, BOB, -5),
    "a unit too much": move(ALICE, BOB, AMOUNT_MINOR_MAX + 1),
    "beyond int64": move(ALICE, BOB, 2**63),
    "true": move(ALICE, BOB, True),
    "a fraction": move(ALICE, BOB, 1.5),  # type: ignore[arg-type]
    "to oneself": move(ALICE, ALICE, 5),
    "a NUL": move(ALICE, BOB, 5, note="a\0b"),
    "a lone surrogate": move(ALICE, BOB, 5, note="\ud800"),
    "a long note": move(ALICE, BOB, 5, note="x" * 141),
    "no currency": move(ALICE, BOB, 5, currency="sgd"),
    "a text for an id": move(ALICE, str(BOB), 5),  # type: ignore[arg-type]
    "a text for a kind": move(ALICE, BOB, 5, kind="payment"),  # type: ignore[arg-type]
}


async def test_an_impossible_transfer_is_a_bug_of_the_caller(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=50)
    await open_wallet(ledger, BOB)
    good = move(ALICE, BOB, 1)
    for transfer in IMPOSSIBLE.values():
        with pytest.raises(AssertionError):
            await ledger.post(transfer)
        for post in (ledger.post_many, ledger.post_linked):
            with pytest.raises(AssertionError):
                await post([good, transfer])
    assert await ledger.posted(good.transfer_id) is None


async def test_the_largest_amount_and_the_longest_note_are_possible(ledger: Ledger) -> None:
    await open_wallet(ledger, ALICE, holds=AMOUNT_MINOR_MAX)
    await open_wallet(ledger, BOB)
    transfer = move(ALICE, BOB, AMOUNT_MINOR_MAX, note="🍜" * 140)
    assert await outcome_of(ledger, transfer) is PostOutcome.POSTED
    assert await ledger.posted(transfer.transfer_id) == transfer


async def test_a_batch_has_a_largest_size(ledger: Ledger) -> None:
    batch = [move(ALICE, BOB, 1) for _ in range(BATCH_SIZE_MAX + 1)]
    for post in (ledger.post_many, ledger.post_linked):
        with pytest.raises(AssertionError):
            await post(batch)
