"""A person pays a person, online: one ledger transfer and nothing else to keep in step with it.

The id of the transfer derives from the payer and the Idempotency-Key, so the ledger itself gives at-most-once: a
retry finds its own transfer, and a table of keys that could disagree with the books isn't needed.
"""

import unicodedata
from datetime import datetime

from tikiwallet.identity.types import Asked, Directory, OutgoingCap, PersonId, PublicPerson
from tikiwallet.ledger.types import (
    NOTE_LENGTH_MAX,
    Ledger,
    PostOutcome,
    PostResult,
    Transfer,
    TransferId,
    TransferKind,
    derive_transfer_id,
    refusal_for,
)
from tikiwallet.payments.new_payees import NewPayees
from tikiwallet.payments.types import PersonRef, Receipt, SendOrder
from tikiwallet.payments.wallets import Wallets, wallet_account_id
from tikiwallet.platform.errors import Kind, Refused
from tikiwallet.platform.http import Caller, IdempotencyKeyReused
from tikiwallet.platform.money import Amount, require_offered

MEMO_LENGTH_MAX = NOTE_LENGTH_MAX
# Control characters, halves of characters, line and paragraph separators ...
MEMO_CATEGORIES_REFUSED = {"Cc", "Cs", "Zl", "Zp"}
# ... and what turns the direction of writing, which can make a receipt show another text than was sent.
MEMO_CHARACTERS_REFUSED = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))}


class PayeeUnknown(Refused):
    """Nobody with a wallet uses this phone number or username."""

    code, kind = "payee_unknown", Kind.MISSING


class PayeeIsPayer(Refused):
    """You can't pay yourself."""

    code, kind = "payee_is_payer", Kind.UNPROCESSABLE


class PayeeCloses(Refused):
    """This person is closing their wallet and takes no more money."""

    code, kind = "payee_closes", Kind.CONFLICT


class MemoInvalid(Refused):
    """A memo has at most 140 characters, all of them visible."""

    code, kind = "memo_invalid", Kind.UNPROCESSABLE


class TransferUnknown(Refused):
    """There is no such transfer among yours."""

    code, kind = "transfer_unknown", Kind.MISSING


class Transfers:
    """Payments from person to person."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        directory: Directory,
        wallets: Wallets,
        new_payees: NewPayees,
        outgoing: OutgoingCap,
    ) -> None:
        self._ledger = ledger
        self._outgoing = outgoing
        self._new_payees = new_payees
        self._directory = directory
        self._wallets = wallets

    def ask_for(self, payee: PersonRef) -> Asked:
        """Ask who is to be paid, for `send`. Refusal: `Overloaded`."""
        return self._directory.ask(phone=payee.phone, username=payee.username)

    async def send(self, order: SendOrder, asked: Asked, *, caller: Caller, key: str, now: datetime) -> Receipt:
        """Pay `order` from the caller's wallet, at most once for each `key`; a retry gets the same receipt.

        `asked` is what `ask_for` gave for the payee of the order.

        Refusals: `MemoInvalid`, `CurrencyNotOffered`, `PayeeUnknown`, `PayeeIsPayer`, `PayeeCloses`,
        `InsufficientFunds`, `StepUpRequired`, `OutgoingCapped`, `LimitExceeded`, `WalletClosed`,
        `IdempotencyKeyReused`. None is remembered: the same key is judged anew.
        """
        payer_id = PersonId(caller.person_id)
        check_memo(order.memo)
        require_offered(order.amount.currency, self._wallets.currencies)
        payee = await asked()
        if payee is None:
            raise PayeeUnknown(field="to")
        if payee.person_id == payer_id:
            raise PayeeIsPayer(field="to")
        if not payee.takes_money:
            raise PayeeCloses(field="to")
        payer = self._directory.seen(caller)
        await self._new_payees.check(caller, payee.person_id, order.amount, now=now)
        transfer = payment(
            transfer_id=derive_transfer_id(payer_id, key),
            payer_id=payer_id,
            payee_id=payee.person_id,
            amount=order.amount,
            memo=order.memo,
        )
        if caller.outgoing_capped_until is None:
            return receipt_of(transfer, payer=payer, payee=payee, result=await self._post(transfer, payer, payee, now))

        async def is_posted() -> bool:
            return await self._ledger.posted(transfer.transfer_id) is not None

        async with self._outgoing.held(caller, transfer.transfer_id, order.amount, is_done=is_posted, now=now):
            return receipt_of(transfer, payer=payer, payee=payee, result=await self._post(transfer, payer, payee, now))

    async def _post(self, transfer: Transfer, payer: PublicPerson, payee: PublicPerson, now: datetime) -> PostResult:
        result = await self._wallets.post(transfer, people=(payer.person_id, payee.person_id))
        if result.outcome is PostOutcome.DIFFERS_FROM_POSTED:
            raise IdempotencyKeyReused
        if not result.is_posted:
            raise await refusal_for(self._ledger, transfer, result.outcome, now=now)
        return result

    async def receipt(self, transfer_id: TransferId, *, reader_id: PersonId) -> Receipt:
        """Return the receipt of a payment to one of its two parties. Refusal: `TransferUnknown`."""
        transfer = await self._ledger.posted(transfer_id)
        if transfer is None or transfer.kind is not TransferKind.PAYMENT:
            raise TransferUnknown
        parties = (transfer.debit_account_id, transfer.credit_account_id)
        if wallet_account_id(reader_id, transfer.currency) not in parties:
            raise TransferUnknown
        owners = await self._wallets.owners(parties)
        if len(owners) < len(parties):  # between a wallet and something else: no payment of this context
            raise TransferUnknown
        payer_id, payee_id = (owners[account_id] for account_id in parties)
        people = await self._directory.people((payer_id, payee_id))
        # To post what is posted changes nothing and tells since when it stands.
        result = await self._ledger.post(transfer)
        return receipt_of(transfer, payer=people[payer_id], payee=people[payee_id], result=result)


def payment(*, transfer_id: TransferId, payer_id: PersonId, payee_id: PersonId, amount: Amount, memo: str) -> Transfer:
    """Return the ledger transfer by which one person pays another; the memo is its note."""
    return Transfer(
        transfer_id=transfer_id,
        debit_account_id=wallet_account_id(payer_id, amount.currency),
        credit_account_id=wallet_account_id(payee_id, amount.currency),
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        kind=TransferKind.PAYMENT,
        note=memo,
    )


def receipt_of(transfer: Transfer, *, payer: PublicPerson, payee: PublicPerson, result: PostResult) -> Receipt:
    """Return the receipt of a transfer that stands in the books: made of nothing but what can't change any more."""
    assert result.is_posted, transfer.transfer_id
    assert result.posted_at is not None, transfer.transfer_id
    return Receipt(
        transfer_id=transfer.transfer_id,
        payer=payer,
        payee=payee,
        amount=Amount(amount_minor=transfer.amount_minor, currency=transfer.currency),
        memo=transfer.note,
        sent_at=result.posted_at,
    )


def check_memo(memo: str) -> None:
    """Return if `memo` may stand on a receipt, else refuse (`MemoInvalid`)."""
    if len(memo) > MEMO_LENGTH_MAX:
        raise MemoInvalid(f"A memo has at most {MEMO_LENGTH_MAX} characters; this one has {len(memo)}.", field="memo")
    if any(unicodedata.category(c) in MEMO_CATEGORIES_REFUSED or c in MEMO_CHARACTERS_REFUSED for c in memo):
        raise MemoInvalid("A memo can't hold control characters or line breaks.", field="memo")


async def find_person(directory: Directory, ref: PersonRef) -> PublicPerson | None:
    """Return the person that `ref` names, if there is one."""
    return await directory.find(phone=ref.phone, username=ref.username)
