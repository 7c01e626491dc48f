"""Payments as they are kept: read back with everything below them, so that rules can judge the whole set.

Rules of `tikicash` look at documents and never at rows; this is the one place where rows become documents.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from tikicash.messages import Certificate, Payment, Signed, Voucher, signed
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.standing import Claim, claims_on
from tikiwallet.offline.types import VoucherId
from tikiwallet.platform.db import Connection


class OpenVoucher(msgspec.Struct, frozen=True, kw_only=True):
    """A signed voucher as the operator keeps it."""

    voucher_id: VoucherId
    person_id: UUID
    document: Signed[Voucher]
    state: str
    amount_minor: int
    released_minor: int
    cover_minor: int
    spend_by: datetime
    claim_by: datetime


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """Some vouchers, and every payment that touches one of them in time, with all that is below those."""

    vouchers: dict[VoucherId, OpenVoucher]
    documents: tuple[Signed[Any], ...]
    refused: frozenset[bytes]  # ids of payments
    owner_of: dict[bytes, UUID]  # key id to person, for registered keys

    def by_document_id(self, document_id: bytes) -> OpenVoucher:
        """Return the voucher whose document has this id (32 bytes)."""
        return next(voucher for voucher in self.vouchers.values() if voucher.document.id == document_id)

    def claims(self, voucher_id: VoucherId, *, operator: frozenset[bytes]) -> tuple[Claim, ...]:
        """Return the claims on one of the vouchers."""
        return claims_on(
            self.vouchers[voucher_id].document,
            self.documents,
            operator=operator,
            refused=self.refused,
            # An unregistered key is an account of its own.
            account_of=lambda key: self.owner_of.get(key, key),
        )


def to_open_voucher(row: asyncpg.Record) -> OpenVoucher:
    """Return a voucher that was opened, from its row."""
    return OpenVoucher(
        voucher_id=VoucherId(row["voucher_id"]),
        person_id=row["person_id"],
        document=signed(row["payload"], row["signature"]),
        state=row["state"],
        amount_minor=row["amount_minor"],
        released_minor=row["released_minor"],
        cover_minor=row["cover_minor"],
        spend_by=row["spend_by"],
        claim_by=row["claim_by"],
    )


async def read_touched(connection: Connection | asyncpg.Pool, voucher_ids: Iterable[VoucherId]) -> Touched:
    """Return everything that counts for some vouchers that were opened."""
    ids = sorted(voucher_ids)
    payment_rows = await connection.fetch(SQL["payments_touching"], ids)
    payments: list[Signed[Payment]] = [signed(row["payload"], row["signature"]) for row in payment_rows]
    voucher_rows = await connection.fetch(SQL["vouchers_below"], ids, [payment.id for payment in payments])
    vouchers = [to_open_voucher(row) for row in voucher_rows]
    refusal_rows = await connection.fetch(SQL["refused_payments"], [payment.id for payment in payments])
    key_ids = {payment.body.payee_id for payment in payments} | {row["key_id"] for row in voucher_rows}
    owner_rows = await connection.fetch(SQL["devices_by_key_id"], list(key_ids))
    return Touched(
        vouchers={voucher.voucher_id: voucher for voucher in vouchers},
        documents=(*(voucher.document for voucher in vouchers), *payments),
        refused=frozenset(row["payment_document_id"] for row in refusal_rows),
        owner_of={row["key_id"]: row["person_id"] for row in owner_rows},
    )


async def read_certificates(connection: Connection, key_ids: Sequence[bytes]) -> tuple[Signed[Certificate], ...]:
    """Return every certificate that the operator ever signed for some keys."""
    rows = await connection.fetch(SQL["certificates_of_keys"], key_ids)
    return tuple(signed(row["payload"], row["signature"]) for row in rows)
