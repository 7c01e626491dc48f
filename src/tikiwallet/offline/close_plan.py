"""The plan of a close: what `tikicash.closing` decided, in the words of the ledger and of the tables.

It is written down before any money moves. A process that dies in the middle is followed by one that reads the plan and
goes on; if it counted again instead, a balance that changed meanwhile would pay somebody twice.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from tikicash.closing import Close, CloseInput, account_of
from tikiwallet.ledger.types import AccountKind, Transfer, TransferId, TransferKind, derive_account_id
from tikiwallet.offline.types import VoucherId

# Whose account the operator's own money is on: it adds to escrows what was promised, and gets debts back.
GUARANTOR_ID: Final = UUID("6f9d7c1e-0c53-5a3b-9a55-2f3a6a1d8e10")
TAKEN_IN_MAX: Final = 900  # double spenders whose own money is used: below what the ledger posts at once


class PlannedShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one key gets, and why. Minor units."""

    key_id: bytes
    person_id: UUID | None
    home_minor: int
    sole_minor: int
    shared_minor: int
    top_minor: int
    claimed_minor: int


class PlannedLiability(msgspec.Struct, frozen=True, kw_only=True):
    """What one account owes for double spends, and out of what it is made good. Minor units."""

    person_id: UUID | None
    key_id: bytes | None  # for a key that nobody registered
    owed_minor: int
    from_shares_minor: int
    from_online_minor: int
    from_guarantee_minor: int


class PlannedPayout(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves the escrow for one account."""

    transfer_id: TransferId
    person_id: UUID | None
    key_id: bytes | None  # for a key that nobody registered
    amount_minor: int


class PlannedDebt(msgspec.Struct, frozen=True, kw_only=True):
    """By how much somebody was advanced more than their shares are worth."""

    person_id: UUID
    amount_minor: int


class ClosePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one close does. Amounts in minor units; every list in an order of its own."""

    voucher_id: VoucherId
    attempt_no: int
    amount_minor: int
    released_minor: int
    from_operator_minor: int
    shares: tuple[PlannedShare, ...]
    liabilities: tuple[PlannedLiability, ...]
    payouts: tuple[PlannedPayout, ...]
    debts: tuple[PlannedDebt, ...]

    @property
    def from_online_minor(self) -> int:
        """What double spenders add out of their wallets."""
        return sum(item.from_online_minor for item in self.liabilities)

    @property
    def paid_minor(self) -> int:
        """What leaves the escrow after the close."""
        return sum(item.amount_minor for item in self.payouts)

    def taken_in(self, currency: str) -> list[Transfer]:
        """Return the transfers into the escrow, which stand all or not at all.

        The ids know no attempt and the notes do, so that of two attempts the ledger itself refuses the second.
        """
        escrow = derive_account_id(self.voucher_id, AccountKind.ESCROW, currency)
        sources = [(GUARANTOR_ID, AccountKind.GUARANTEE, self.from_operator_minor)]
        sources += [
            (item.person_id, AccountKind.WALLET, item.from_online_minor)
            for item in self.liabilities
            if item.person_id is not None
        ]
        return [
            Transfer(
                transfer_id=taken_in_id(self.voucher_id, number),
                debit_account_id=derive_account_id(owner_id, kind, currency),
                credit_account_id=escrow,
                amount_minor=amount_minor,
                currency=currency,
                kind=TransferKind.SETTLEMENT,
                note=f"{NOTE}{self.attempt_no}",
            )
            for number, (owner_id, kind, amount_minor) in enumerate(item for item in sources if item[2])
        ]


NOTE: Final = "close attempt "


def taken_in_id(voucher_id: VoucherId, number: int) -> TransferId:
    """Return the id of the n-th transfer (from 0) into the escrow of a voucher that closes, in any attempt."""
    return TransferId(uuid5(voucher_id, f"close/in/{number}"))


def make_plan(
    close: CloseInput, result: Close, *, voucher_id: VoucherId, attempt_no: int, released_minor: int
) -> ClosePlan:
    """Return the plan that carries out what `settle` decided."""
    return ClosePlan(
        voucher_id=voucher_id,
        attempt_no=attempt_no,
        amount_minor=close.voucher.body.count,
        released_minor=released_minor,
        from_operator_minor=result.from_operator,
        shares=tuple(
            PlannedShare(
                key_id=key,
                person_id=_person(account_of(close, key)),
                home_minor=share.home,
                sole_minor=share.sole,
                shared_minor=share.shared,
                top_minor=share.top,
                claimed_minor=share.claimed,
            )
            for key, share in sorted(result.shares.items())
        ),
        liabilities=tuple(
            PlannedLiability(
                person_id=_person(account),
                key_id=_key(account),
                owed_minor=item.owed,
                from_shares_minor=item.from_shares,
                from_online_minor=item.from_online,
                from_guarantee_minor=item.from_guarantee,
            )
            for account, item in _in_order(result.liabilities.items())
        ),
        payouts=tuple(
            PlannedPayout(
                transfer_id=TransferId(uuid5(voucher_id, f"close/out/{_name(account)}")),
                person_id=_person(account),
                key_id=_key(account),
                amount_minor=amount,
            )
            for account, amount in _in_order(result.payouts.items())
        ),
        debts=tuple(
            PlannedDebt(person_id=account, amount_minor=amount) for account, amount in _in_order(result.debts.items())
        ),
    )


def _in_order(items: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    return sorted(items, key=lambda item: _name(item[0]))


def _name(account: UUID | bytes) -> str:
    return account.hex() if isinstance(account, bytes) else str(account)


def _person(account: UUID | bytes) -> UUID | None:
    return account if isinstance(account, UUID) else None


def _key(account: UUID | bytes) -> bytes | None:
    return account if isinstance(account, bytes) else None
