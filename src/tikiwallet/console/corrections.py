"""Corrections with names: who the two sides are, and that a person can give what is to be taken.

The ledger knows accounts and operators' ids only (ledger/corrections.py, where the rules are). Here usernames become
accounts and accounts become usernames again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from tikiwallet.console.types import CorrectionOrder, CorrectionView, OwnAccount, Side
from tikiwallet.funding.books import bank_account_id
from tikiwallet.identity.operator_accounts import OperatorAccounts
from tikiwallet.identity.operator_sessions import SignedInOperator
from tikiwallet.identity.operators import Operators
from tikiwallet.identity.types import Directory
from tikiwallet.ledger.corrections import Correction, Corrections, NewCorrection
from tikiwallet.ledger.types import (
    AccountId,
    AccountKind,
    InsufficientFunds,
    Ledger,
    Limits,
    WalletClosed,
    derive_account_id,
)
from tikiwallet.offline.close_plan import GUARANTOR_ID
from tikiwallet.payments.wallets import Wallets, wallet_account_id
from tikiwallet.platform.audit import By
from tikiwallet.platform.http import RequestInvalid
from tikiwallet.platform.ids import derive_uuid
from tikiwallet.platform.money import Amount, require_offered

SHOWN_OWN: Final = {OwnAccount.BANK: "[bank]", OwnAccount.GUARANTEE: "[guarantee]"}
UNKNOWN: Final = "[unknown]"


class NamedCorrections:
    """Corrections as operators order and see them."""

    def __init__(
        self,
        *,
        corrections: Corrections,
        ledger: Ledger,
        wallets: Wallets,
        people: Operators,
        directory: Directory,
        operators: OperatorAccounts,
    ) -> None:
        self._corrections = corrections
        self._ledger = ledger
        self._wallets = wallets
        self._people = people
        self._directory = directory
        self._operators = operators

    async def propose(
        self, order: CorrectionOrder, operator: SignedInOperator, *, key: str, by: By, now: datetime
    ) -> CorrectionView:
        """Propose what somebody else has to approve; at most once for each `key`.

        Refusals: `CurrencyNotOffered`, `PersonUnknown`, `InsufficientFunds`, `WalletClosed`, `AccountNotCorrectable`,
        `IdempotencyKeyReused`.
        """
        require_offered(order.amount.currency, self._wallets.currencies)
        new = NewCorrection(
            correction_id=derive_uuid(operator.operator_id, f"correction/{key}"),
            debit_account_id=await self._account(order.debit, order.amount.currency),
            credit_account_id=await self._account(order.credit, order.amount.currency),
            amount_minor=order.amount.amount_minor,
            currency=order.amount.currency,
            reason=order.reason,
        )
        await self._require_funds(new)
        stored = await self._corrections.propose(new, operator_id=operator.operator_id, by=by, now=now)
        return (await self._shown([stored], operator))[0]

    async def approve(
        self, correction_id: UUID, operator: SignedInOperator, *, by: By, now: datetime
    ) -> CorrectionView:
        """Post what somebody else proposed (see `Corrections.approve`)."""
        stored = await self._corrections.approve(correction_id, operator_id=operator.operator_id, by=by, now=now)
        return (await self._shown([stored], operator))[0]

    async def reject(self, correction_id: UUID, operator: SignedInOperator, *, by: By, now: datetime) -> CorrectionView:
        """Let a correction never be posted (see `Corrections.reject`)."""
        stored = await self._corrections.reject(correction_id, operator_id=operator.operator_id, by=by, now=now)
        return (await self._shown([stored], operator))[0]

    async def newest(self, operator: SignedInOperator, *, now: datetime) -> list[CorrectionView]:
        """Return the newest corrections."""
        return await self._shown(await self._corrections.newest(now=now), operator)

    async def _account(self, side: Side, currency: str) -> AccountId:
        if bool(side.person) == (side.own is not None):
            raise RequestInvalid("Each side is either a person or an account of the operator.")
        if side.own is not None:
            account_id, kind = own_account_id(side.own, currency), AccountKind(side.own.value)
            # The guarantee account is opened when offline money first needs it, which may be never.
            await self._ledger.open_account(
                account_id, kind=kind, currency=currency, limits=Limits(balance_min_minor=None)
            )
            return account_id
        person = await self._people.find(side.person)
        await self._wallets.prepare(person.person_id)  # in a currency that was offered after the sign-up
        return wallet_account_id(person.person_id, currency)

    async def _require_funds(self, new: NewCorrection) -> None:
        """Refuse at once what the wallet can't give now. It is judged again, under lock, when it is approved."""
        accounts = await self._ledger.accounts([new.debit_account_id, new.credit_account_id])
        if any(account.closed for account in accounts.values()):
            raise WalletClosed
        debit = accounts.get(new.debit_account_id)
        if debit is None or debit.limits.balance_min_minor is None:
            return
        if debit.balance_minor - new.amount_minor < debit.limits.balance_min_minor:
            raise InsufficientFunds

    async def _shown(self, found: list[Correction], operator: SignedInOperator) -> list[CorrectionView]:
        operators = {each.operator_id: each.name for each in await self._operators.all()}
        sides = {account_id for each in found for account_id in (each.debit_account_id, each.credit_account_id)}
        owners = await self._wallets.owners(sides)
        people = await self._directory.people(list(set(owners.values())))
        names = {
            account_id: people[person_id].username for account_id, person_id in owners.items() if person_id in people
        }
        for currency in self._wallets.currencies:
            names |= {own_account_id(own, currency): shown for own, shown in SHOWN_OWN.items()}
        return [_view(each, names, operators, operator) for each in found]


def own_account_id(own: OwnAccount, currency: str) -> AccountId:
    """Return the ledger account of the operator that a word stands for."""
    if own is OwnAccount.BANK:
        return bank_account_id(currency)
    return derive_account_id(GUARANTOR_ID, AccountKind.GUARANTEE, currency)


def _view(
    each: Correction, names: Mapping[AccountId, str], operators: Mapping[UUID, str], operator: SignedInOperator
) -> CorrectionView:
    return CorrectionView(
        correction_id=each.correction_id,
        debit=names.get(each.debit_account_id, UNKNOWN),
        credit=names.get(each.credit_account_id, UNKNOWN),
        amount=Amount(amount_minor=each.amount_minor, currency=each.currency),
        reason=each.reason,
        state=each.state,
        proposed_by=operators.get(each.proposed_by, UNKNOWN),
        proposed_at=each.proposed_at,
        expires_at=each.expires_at,
        decided_by=operators.get(each.decided_by, UNKNOWN) if each.decided_by else "",
        decided_at=each.decided_at,
        is_mine=each.proposed_by == operator.operator_id,
    )
