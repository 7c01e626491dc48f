"""What a top-up or withdrawal does in the ledger.

Money on its way stands in an account of its own for each operation. That account can't go below zero, so the books
themselves allow one way out of it: money that went on to a wallet can't also go back to the bank, whatever two
processes believe at the same moment.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tikiwallet.funding.types import OperationKind, StoredOperation
from tikiwallet.identity.types import PersonId
from tikiwallet.ledger.types import (
    AccountId,
    AccountKind,
    Ledger,
    LimitExceeded,
    LimitName,
    Limits,
    PostOutcome,
    PostResult,
    Transfer,
    TransferKind,
    derive_account_id,
    derive_transfer_id,
    refusal_for,
)
from tikiwallet.platform.errors import PassedLimit, Refused
from tikiwallet.platform.money import Amount, format_decimal

# Owns the accounts that stand for the world outside, one for each currency: below zero by what people are owed.
BANK_OWNER_ID = UUID("7bde1a3e-6d9c-4e3b-9a51-0c8f5e0b7a01")

TRANSFER_KINDS = {OperationKind.TOP_UP: TransferKind.TOP_UP, OperationKind.WITHDRAWAL: TransferKind.WITHDRAWAL}


# Owns the accounts of what the operator earns by withdrawals.
FEES_OWNER_ID = UUID("7bde1a3e-6d9c-4e3b-9a51-0c8f5e0b7a02")


class Place(StrEnum):
    """Where the money of an operation can stand."""

    BANK = "bank"
    FEES = "fees"
    IN_FLIGHT = "in_flight"
    WALLET = "wallet"


def account_of(place: Place, operation: StoredOperation) -> AccountId:
    """Return the ledger account of this place for this operation."""
    match place:
        case Place.BANK:
            return bank_account_id(operation.currency)
        case Place.FEES:
            return derive_account_id(FEES_OWNER_ID, AccountKind.GUARANTEE, operation.currency)
        case Place.IN_FLIGHT:
            return derive_account_id(operation.operation_id, AccountKind.IN_FLIGHT, operation.currency)
        case Place.WALLET:
            return derive_account_id(operation.person_id, AccountKind.WALLET, operation.currency)


def bank_account_id(currency: str) -> AccountId:
    """Return the account that stands for all bank accounts in this currency."""
    return derive_account_id(BANK_OWNER_ID, AccountKind.BANK, currency)


class Books:
    """The transfers of operations. All are safe to repeat."""

    def __init__(self, ledger: Ledger, *, prepare_wallet: Callable[[PersonId], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._prepare_wallet = prepare_wallet

    async def open_bank_accounts(self, currencies: Sequence[str]) -> None:
        """Open the accounts of the world outside, and of the operator's own money in it, in each currency."""
        for currency in currencies:
            await self._ledger.open_account(
                bank_account_id(currency),
                kind=AccountKind.BANK,
                currency=currency,
                limits=Limits(balance_min_minor=None),
            )
            await self._ledger.open_account(
                derive_account_id(FEES_OWNER_ID, AccountKind.GUARANTEE, currency),
                kind=AccountKind.GUARANTEE,
                currency=currency,
                limits=Limits(balance_min_minor=None),
            )

    async def require_room(self, person_id: PersonId, amount: Amount) -> None:
        """Refuse (`LimitExceeded`) what wouldn't fit into the wallet now, before a bank is asked for it."""
        wallet_id = derive_account_id(person_id, AccountKind.WALLET, amount.currency)
        wallet = (await self._ledger.accounts([wallet_id])).get(wallet_id)
        if wallet is None or wallet.limits.balance_max_minor is None:
            return
        if wallet.balance_minor + amount.amount_minor > wallet.limits.balance_max_minor:
            left_minor = max(0, wallet.limits.balance_max_minor - wallet.balance_minor)
            raise LimitExceeded(
                f"Your wallet has room for {format_decimal(left_minor, amount.currency)} {amount.currency} more.",
                field="amount",
                passed=PassedLimit(limit=LimitName.BALANCE, left_minor=left_minor, currency=amount.currency),
            )

    async def open_in_flight(self, operation: StoredOperation) -> None:
        """Open the account in which the money of this operation stands on its way."""
        await self._ledger.open_account(
            account_of(Place.IN_FLIGHT, operation),
            kind=AccountKind.IN_FLIGHT,
            currency=operation.currency,
            limits=Limits(),
        )

    async def move(self, operation: StoredOperation, *, of: Place, to: Place) -> PostResult:
        """Move the whole amount of an operation from one place to another, at most once for each pair of places.

        A wallet that isn't open yet in this currency is opened.
        """
        transfer = self._transfer(operation, of=of, to=to, amount_minor=operation.amount_minor)
        result = await self._ledger.post(transfer)
        if result.outcome is PostOutcome.ACCOUNT_UNKNOWN:
            await self._prepare_wallet(operation.person_id)
            result = await self._ledger.post(transfer)
        return result

    async def refusal(self, operation: StoredOperation, outcome: PostOutcome, *, now: datetime) -> Refused:
        """Return what to tell a person whose wallet didn't let the money go."""
        transfer = self._transfer(
            operation, of=Place.WALLET, to=Place.IN_FLIGHT, amount_minor=operation.amount_minor
        )  # fmt: skip
        return await refusal_for(self._ledger, transfer, outcome, now=now)

    async def pay_out(self, operation: StoredOperation) -> None:
        """Book a withdrawal out: what arrived to the world outside, and the fee to the operator, both or neither."""
        out = self._transfer(
            operation, of=Place.IN_FLIGHT, to=Place.BANK, amount_minor=operation.arriving.amount_minor
        )  # fmt: skip
        if operation.fee_minor == 0:
            results = [await self._ledger.post(out)]
        else:
            fee = self._transfer(operation, of=Place.IN_FLIGHT, to=Place.FEES, amount_minor=operation.fee_minor)
            results = await self._ledger.post_linked([out, fee])
        assert all(result.is_posted for result in results), (operation.operation_id, results)

    def _transfer(self, operation: StoredOperation, *, of: Place, to: Place, amount_minor: int) -> Transfer:
        return Transfer(
            transfer_id=derive_transfer_id(operation.operation_id, f"{of}-{to}"),
            debit_account_id=account_of(of, operation),
            credit_account_id=account_of(to, operation),
            amount_minor=amount_minor,
            currency=operation.currency,
            kind=TRANSFER_KINDS[operation.kind],
            note=f"operation {operation.operation_id}",
        )
