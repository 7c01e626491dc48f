"""Payments as they are kept: read back with everything below them, so that rules can judge the whole set.

Rules of `tikicash` look at documents and never at rows; this is the one place where rows become documents.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from tikicash.holders import Claim, Holders, changes, sweep
from tikicash.messages import Certificate, Payment, Signed, Voucher, signed
from tikicash.plain import Taken, plain_holders
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import VoucherId
from tikiwallet.platform.connections import Connections
from tikiwallet.platform.db import Connection


class VoucherTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever was paid with a voucher has to know of it."""

    voucher_id: VoucherId
    person_id: UUID
    key_id: bytes
    cover_minor: int
    audience_key_id: bytes | None  # the only key that may receive its units
    spend_by: datetime
    claim_by: datetime  # as signed
    claim_until: datetime  # later than that if the operator had an outage


class OpenVoucher(VoucherTerms, frozen=True, kw_only=True):
    """A signed voucher as the operator keeps it."""

    document_id: bytes
    first: int  # the number of the first unit
    payload: bytes
    signature: bytes
    state: str
    amount_minor: int
    released_minor: int

    @property
    def document(self) -> Signed[Voucher]:
        """The voucher as it was signed. Reading it costs more than the rest of a row, so it is read by who needs it."""
        document: Signed[Voucher] = signed(self.payload, self.signature)
        return document


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """Some vouchers, and every payment that touches one of them in time, with all that is below those."""

    vouchers: dict[VoucherId, OpenVoucher]  # also those below the payments
    payments: dict[VoucherId, tuple[Signed[Payment], ...]]  # in time for that voucher, with what is below them
    refused: dict[VoucherId, frozenset[bytes]]  # ids of payments that were refused in time for that voucher
    owner_of: dict[bytes, UUID]  # key id to person, for registered keys

    def documents(self, voucher_id: VoucherId) -> tuple[Signed[Any], ...]:
        """Return everything that counts for one of the vouchers that were asked for."""
        payments = self.payments.get(voucher_id, ())
        return (*(voucher.document for voucher in self.vouchers.values()), *payments)

    def account_of(self, key_id: bytes) -> UUID | bytes:
        """Return who owns a key; an unregistered key is an account of its own."""
        return self.owner_of.get(key_id, key_id)

    def holders(self, voucher_id: VoucherId, *, operator: frozenset[bytes]) -> Holders:
        """Return who stands where on one of the vouchers, as its close will count it."""
        voucher = self.vouchers[voucher_id].document
        refused = self.refused.get(voucher_id, frozenset())
        found = changes(voucher, self.documents(voucher_id), refused=refused, operator=operator)
        return sweep(voucher.body, found, account_of=self.account_of)


def to_open_voucher(row: asyncpg.Record) -> OpenVoucher:
    """Return a voucher that was opened, from its row."""
    return OpenVoucher(
        voucher_id=VoucherId(row["voucher_id"]),
        person_id=row["person_id"],
        document_id=row["document_id"],
        key_id=row["key_id"],
        first=row["first"],
        payload=row["payload"],
        signature=row["signature"],
        state=row["state"],
        amount_minor=row["amount_minor"],
        released_minor=row["released_minor"],
        cover_minor=row["cover_minor"],
        audience_key_id=row["audience_key_id"],
        spend_by=row["spend_by"],
        claim_by=row["claim_by"],
        claim_until=row["claim_until"],
    )


async def read_touched(connection: Connection | Connections, voucher_ids: Iterable[VoucherId]) -> Touched:
    """Return everything that counts for some vouchers that were opened."""
    ids = sorted(voucher_ids)
    payments: dict[VoucherId, list[Signed[Payment]]] = defaultdict(list)
    below: dict[bytes, Signed[Payment]] = {}
    for row in await connection.fetch(SQL["payments_touching"], ids):
        payment: Signed[Payment] = signed(row["payload"], row["signature"])
        below[payment.id] = payment
        for voucher_id in row["voucher_ids"]:
            payments[voucher_id].append(payment)
    voucher_rows = await connection.fetch(SQL["vouchers_below"], ids, list(below))
    refused: dict[VoucherId, set[bytes]] = defaultdict(set)
    for row in await connection.fetch(SQL["refused_payments"], ids):
        refused[row["voucher_id"]].add(row["payment_document_id"])
    key_ids = {payment.body.payee_id for payment in below.values()} | {row["key_id"] for row in voucher_rows}
    owner_rows = await connection.fetch(SQL["devices_by_key_id"], list(key_ids))
    return Touched(
        vouchers={VoucherId(row["voucher_id"]): to_open_voucher(row) for row in voucher_rows},
        payments={voucher_id: tuple(found) for voucher_id, found in payments.items()},
        refused={voucher_id: frozenset(found) for voucher_id, found in refused.items()},
        owner_of={row["key_id"]: row["person_id"] for row in owner_rows},
    )


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Some vouchers, and who stands where on each, as its close will count it."""

    vouchers: dict[VoucherId, OpenVoucher]
    holders: dict[VoucherId, Holders]


async def read_standing(
    connection: Connection | Connections, vouchers: Iterable[OpenVoucher], *, operator: frozenset[bytes]
) -> Standing:
    """Return who stands where on some vouchers. Only where there is more to say than who was paid are documents read.

    `operator` holds the ids of the operator's keys: a payment to one of them hands back.
    """
    found = {voucher.voucher_id: voucher for voucher in vouchers}
    taken: dict[VoucherId, list[Taken]] = defaultdict(list)
    disputed: set[VoucherId] = set()
    rows = await connection.fetch(SQL["pieces_touching"], list(found), list(operator)) if found else []
    for voucher_id, first, end, payee_id, payment_id, is_plain in rows:
        taken[voucher_id].append(Taken(first, end, payee_id, payment_id))
        if not is_plain:
            disputed.add(voucher_id)
    holders: dict[VoucherId, Holders] = {}
    for voucher_id, voucher in found.items():
        plain = None
        if voucher_id not in disputed:
            plain = plain_holders(
                voucher.key_id, first=voucher.first, count=voucher.amount_minor, taken=taken[voucher_id]
            )
        if plain is None:
            disputed.add(voucher_id)
        else:
            holders[voucher_id] = plain
    if disputed:
        touched = await read_touched(connection, disputed)
        holders.update({item: touched.holders(item, operator=operator) for item in disputed})
    return Standing(vouchers=found, holders=holders)


class DirectClaim(NamedTuple):
    """What one payment brought to a key straight from a voucher whose units nobody contests."""

    voucher: VoucherTerms
    claim: Claim


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What some keys were paid with open vouchers of other keys."""

    direct: list[DirectClaim]  # in the order in which the vouchers close
    contested: list[VoucherId]  # the vouchers of which everything has to be looked at (`read_standing`)


async def read_claims(connection: Connection | Connections, key_ids: Iterable[bytes]) -> Claimed:
    """Return what some keys were paid with open vouchers of other keys.

    What was paid straight from a voucher that nobody contests is told here: the same claims that `read_standing` tells,
    for whom that is all to know.
    """
    direct: list[DirectClaim] = []
    contested: dict[VoucherId, None] = {}
    for (
        voucher_id, is_contested, person_id, payer_id, cover_minor, audience_key_id, spend_by, claim_by, claim_until,
        payee_id, payment_id, count,
    ) in await connection.fetch(SQL["claims_of_keys"], list(key_ids)):  # fmt: skip
        if is_contested:
            contested[voucher_id] = None
            continue
        last = direct[-1] if direct else None
        if last is not None and last.claim.payment_id == payment_id and last.voucher.voucher_id == voucher_id:
            last.claim.count += count  # another piece of the same payment
            continue
        voucher = VoucherTerms(
            voucher_id=voucher_id, person_id=person_id, key_id=payer_id, cover_minor=cover_minor,
            audience_key_id=audience_key_id, spend_by=spend_by, claim_by=claim_by, claim_until=claim_until,
        )  # fmt: skip
        claim = Claim(key_id=payee_id, payment_id=payment_id, payer_id=payer_id, count=count)
        direct.append(DirectClaim(voucher, claim))
    return Claimed(direct=direct, contested=list(contested))


async def read_certificates(connection: Connection, key_ids: Sequence[bytes]) -> tuple[Signed[Certificate], ...]:
    """Return every certificate that the operator ever signed for some keys."""
    rows = await connection.fetch(SQL["certificates_of_keys"], key_ids)
    return tuple(signed(row["payload"], row["signature"]) for row in rows)
