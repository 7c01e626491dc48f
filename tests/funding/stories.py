"""What people do with Stripe, as stories that can be interrupted anywhere and told on: the rows of the fault table.

Each story prepares a person with a process that lives, then takes its steps with one that may die. A step that was
interrupted is taken again, as a person does who got no answer; everything in it is safe to repeat.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec

from funding.stripe_wallet import AT_THEIR_TIME, FEE_MINOR, SECRET, Process, StripeWallet
from tikiwallet.funding.types import OperationKind, OperationState
from tikiwallet.ledger.types import AccountKind, Limits, Transfer, TransferId, TransferKind, derive_account_id
from tikiwallet.platform.errors import Refused
from tikiwallet.stripe_standin.errors import StripeError
from tikiwallet.stripe_standin.events import signature

Step: TypeAlias = Callable[[StripeWallet, Process], Awaitable[Any]]

VISA, DECLINED, SECURE = "4242424242424242", "4000000000000002", "4000002760003184"
BANK, CLOSED_BANK = "000123456", "000111111113"


@dataclass(frozen=True)
class Story:
    """What is done, and how it ends: with which balance, in which state the newest operation, and what else is so."""

    steps: Sequence[Step]
    balance_minor: int
    state: OperationState | None  # None: no operation began
    before: Sequence[Step] = field(default=())
    refunds: int = 0
    fee_minor: int = FEE_MINOR
    ends: Sequence[Step] = field(default=())


def top_up(amount_minor: int = 20_00, **more: Any) -> Step:
    async def step(wallet: StripeWallet, process: Process) -> None:
        await answered(process.top_up(amount_minor, **more))

    return step


async def answered(call: Awaitable[Any]) -> Any:
    """A refusal is an answer too: the story goes on."""
    try:
        return await call
    except Refused as refused:
        return refused


def pay(kind: str, card: str = VISA) -> Step:
    async def step(wallet: StripeWallet, process: Process) -> None:
        thing = wallet.newest(kind)
        if thing["status"] in {"open", "requires_payment_method"} and not thing.get("last_payment_error"):
            wallet.control("pay", id=thing["id"], card=card)

    return step


async def authenticate(wallet: StripeWallet, process: Process) -> None:
    intent = wallet.newest("payment_intent")
    if intent["status"] == "requires_action":
        wallet.control("authenticate", id=intent["id"])


async def news(wallet: StripeWallet, process: Process) -> None:
    """Webhooks come and the promises of this moment are kept, and once more what follows from that."""
    for _ in range(2):
        await process.hear()
        await process.work()


def later(**distance: float) -> Step:
    async def step(wallet: StripeWallet, process: Process) -> None:
        wallet.move(**distance)
        wallet.standin.tick()

    return step


def cancel(kind: OperationKind) -> Step:
    async def step(wallet: StripeWallet, process: Process) -> None:
        operation_id = await wallet.owner.fetchval(
            "SELECT operation_id FROM funding.operation WHERE person_id = $1 AND kind = $2", wallet.person_id, kind
        )
        operations = process.funding.operations
        await answered(operations.cancel(kind, operation_id, person_id=wallet.person_id, now=wallet.now))

    return step


async def save_card(wallet: StripeWallet, process: Process) -> None:
    await process.funding.stripe.customers.save_natively(wallet.person_id)
    wallet.control("pay", id=wallet.newest("setup_intent")["id"], card=SECURE)
    wallet.control("authenticate", id=wallet.newest("setup_intent")["id"])


async def save_card_on_page(wallet: StripeWallet, process: Process) -> None:
    await process.funding.stripe.customers.save(wallet.person_id)
    await pay("checkout.session")(wallet, process)


async def forget_card(wallet: StripeWallet, process: Process) -> None:
    method_id = wallet.newest("payment_method")["id"]
    await answered(process.funding.stripe.customers.remove(wallet.person_id, method_id))


def has_cards(count: int) -> Step:
    async def step(wallet: StripeWallet, process: Process) -> None:
        assert len(await process.funding.stripe.customers.cards(wallet.person_id)) == count

    return step


async def top_up_saved(wallet: StripeWallet, process: Process) -> None:
    (card,) = await process.funding.stripe.customers.cards(wallet.person_id)
    await answered(process.top_up(20_00, through="saved", method_id=card.method_id))


async def has_no_wallet(wallet: StripeWallet, process: Process) -> None:
    """As whoever never had money in this currency."""
    assert (
        await wallet.owner.execute("DELETE FROM ledger.account WHERE account_id = $1", wallet.wallet_id) == "DELETE 1"
    )


async def fill_up(wallet: StripeWallet, process: Process) -> None:
    """Meanwhile the wallet can't take any more."""
    await wallet.ledger.set_limits(wallet.wallet_id, Limits(balance_max_minor=10_00))


def spend(amount_minor: int) -> Step:
    """The person pays somebody."""

    async def step(wallet: StripeWallet, process: Process) -> None:
        friend = derive_account_id(uuid4(), AccountKind.WALLET, "SGD")
        await wallet.ledger.open_account(friend, kind=AccountKind.WALLET, currency="SGD", limits=Limits())
        transfer = Transfer(
            transfer_id=TransferId(uuid4()), debit_account_id=wallet.wallet_id, credit_account_id=friend,
            amount_minor=amount_minor, currency="SGD", kind=TransferKind.PAYMENT,
        )  # fmt: skip
        assert (await wallet.ledger.post(transfer)).is_posted

    return step


def account(bank_number: str = BANK) -> Step:
    async def step(wallet: StripeWallet, process: Process) -> None:
        await process.funding.stripe.accounts.open(wallet.person_id)
        wallet.control("onboard", id=wallet.newest("account")["id"], bank_number=bank_number)

    return step


async def fund(wallet: StripeWallet, process: Process) -> None:
    """The operator has money at Stripe that can be paid out at once."""
    wallet.control("fund", amount=100_00, currency="sgd")
    wallet.move(days=10)
    wallet.standin.tick()


async def withdraw(wallet: StripeWallet, process: Process) -> None:
    await answered(process.withdraw(10_00, key="w"))


def allow_out_a_day(amount_minor: int | None) -> Step:
    """What may leave the wallet in a day, from now on."""

    async def step(wallet: StripeWallet, process: Process) -> None:
        await wallet.ledger.set_limits(wallet.wallet_id, Limits(out_per_day_max_minor=amount_minor))

    return step


async def lose_webhooks(wallet: StripeWallet, process: Process) -> None:
    wallet.control("webhooks", copies=0)


async def begin_day(wallet: StripeWallet, process: Process) -> None:
    """A process promises what only time brings about, as each does when it starts."""
    await process.funding.promise_what_time_brings(wallet.now)


def when_due(name: str, **distance: float) -> Step:
    """The time of this promise has come."""

    async def step(wallet: StripeWallet, process: Process) -> None:
        wallet.move(**distance)
        await process.work_at_its_time(name)
        if process.failures:
            raise process.failures.pop()

    return step


async def goes_on_for_ever(wallet: StripeWallet, process: Process) -> None:
    """Somebody will ask Stripe for news again, and compare the books again."""
    assert {row["entrypoint"] for row in await wallet.promises()} >= set(AT_THEIR_TIME)


async def lie(wallet: StripeWallet, process: Process) -> None:
    """A webhook, well signed, says of a payout what isn't so (yet)."""
    payout = wallet.newest("payout")
    event = {"id": f"evt_{payout['id']}", "type": "payout.paid", "created": payout["created"]}
    payload = msgspec.json.encode({**event, "data": {"object": {**payout, "status": "paid"}}})
    header = signature(payload, secrets=[SECRET], at=int(wallet.now.timestamp()))
    await process.funding.stripe.events.receive(payload, header, now=wallet.now)


async def dispute(wallet: StripeWallet, process: Process) -> None:
    charge = wallet.newest("charge")
    if not charge["disputed"]:
        wallet.control("dispute", id=charge["id"])


async def hear_of_dispute_first(wallet: StripeWallet, process: Process) -> None:
    """The news of the dispute overtakes that of the payment."""
    await process.funding.stripe.disputes.heard(wallet.newest("dispute")["id"], wallet.now)


async def news_until_recorded(wallet: StripeWallet, process: Process) -> None:
    """Whoever dies once the dispute is written down is away until it is decided."""
    if not await wallet.owner.fetchval("SELECT count(*) FROM funding.dispute WHERE person_id = $1", wallet.person_id):
        await news(wallet, process)


def decide(*, is_won: bool) -> Step:
    async def step(wallet: StripeWallet, process: Process) -> None:
        try:
            wallet.control("close-dispute", id=wallet.newest("dispute")["id"], is_won=is_won)
        except (StripeError, AssertionError):
            assert wallet.newest("dispute")["status"] in {"won", "lost"}

    return step


T, W, S = OperationKind.TOP_UP, OperationKind.WITHDRAWAL, OperationState
HAS_TWENTY = (top_up(), pay("checkout.session"), news, fund)
WITHDRAWS = (account(), withdraw, news, later(hours=2), news, later(days=3), news)

STORIES: dict[str, Story] = {
    "pays on the page": Story([top_up(), pay("checkout.session"), news], 20_00, S.SETTLED),
    "pays for the first time": Story([top_up(), pay("checkout.session"), news], 20_00, S.SETTLED, [has_no_wallet]),
    "cancels the page": Story([top_up(), cancel(T), news], 0, S.DECLINED),
    "lets the page close": Story([top_up(), later(hours=2), news], 0, S.DECLINED),
    "saves a card and pays with it": Story(
        [save_card, top_up_saved, authenticate, news], 20_00, S.SETTLED
    ),
    "is declined in an app": Story(
        [top_up(through="native"), pay("payment_intent", DECLINED), news], 0, S.DECLINED
    ),
    "pays into a full wallet": Story(
        [top_up(), fill_up, pay("checkout.session"), news], 0, S.RETURNED, refunds=1
    ),
    "withdraws": Story(WITHDRAWS, 10_00, S.SETTLED, HAS_TWENTY),
    "withdraws where it costs nothing": Story(WITHDRAWS, 10_00, S.SETTLED, HAS_TWENTY, fee_minor=0),
    "withdraws too much for a day, and again when it may be": Story(
        [allow_out_a_day(5_00), withdraw, news, allow_out_a_day(None), withdraw, news, later(days=3), news],
        10_00, S.SETTLED, [*HAS_TWENTY, account()],
    ),
    "hears of a payout what is not so": Story([withdraw, lie, news], 10_00, S.PENDING, [*HAS_TWENTY, account()]),
    "cancels a withdrawal": Story([withdraw, cancel(W), news], 20_00, S.DECLINED, [*HAS_TWENTY, account()]),
    "withdraws to a closed bank account": Story(
        [withdraw, later(hours=2), news, later(days=3), news], 20_00, S.DECLINED, [*HAS_TWENTY, account(CLOSED_BANK)]
    ),
    "loses a dispute while nobody is there": Story(
        [dispute, news_until_recorded, decide(is_won=False), news], 0, S.SETTLED, HAS_TWENTY
    ),
    "is disputed before we heard of the payment": Story(
        [top_up(), pay("checkout.session"), dispute, hear_of_dispute_first, news], 0, S.SETTLED
    ),
    "is disputed": Story([dispute, news], 0, S.SETTLED, HAS_TWENTY),
    "wins a dispute": Story([dispute, news, decide(is_won=True), news], 20_00, S.SETTLED, HAS_TWENTY),
    "loses a dispute over what was partly spent": Story(
        [dispute, news, decide(is_won=False), news, top_up(5_00, key="2"), pay("checkout.session"), news],
        0, S.SETTLED, [*HAS_TWENTY, spend(7_00)],
    ),
    "saves a card on a page and forgets it": Story(
        [save_card_on_page, forget_card], 0, None, ends=[has_cards(0)]
    ),
    "pays, and no webhook ever comes": Story(
        [begin_day, top_up(), pay("checkout.session"), when_due("poll_events", minutes=5), news,
         when_due("reconcile_bank", days=1)],
        20_00, S.SETTLED, [lose_webhooks], ends=[goes_on_for_ever],
    ),
}  # fmt: skip
