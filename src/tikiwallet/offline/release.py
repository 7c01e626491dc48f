"""Money that leaves escrow before the close: handed back within a limit, and the final part of receive-only phones.

Until the close nobody can rule out another claim on the same units, so an early release is an advance: it is limited
(L, or what the operator promised anyway), written down before the money moves, never more than the escrow holds, and
set off at the close. The promise and its job are one transaction; the ledger call repeats until it is true.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import uuid5

import msgspec

from tikicash.chain import Chain
from tikicash.holders import Holders
from tikiwallet.identity.types import Directory, PersonId
from tikiwallet.ledger.types import (
    AccountKind,
    Ledger,
    Transfer,
    TransferId,
    TransferKind,
    derive_account_id,
)
from tikiwallet.offline.documents import OpenVoucher, read_standing, to_open_voucher
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.policy import Policy
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import Device, VoucherId, to_device
from tikiwallet.platform.connections import Connections
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.jobs import Jobs, NotYet

POST_ADVANCE: Final = "post_advance"  # the job
JOB_AFTER_SECONDS: Final = 5  # the request that promises a release posts it itself; the job matters if that one died
HAND_BACK: Final = "hand_back"
FINAL: Final = "final"

HoldersOf = Mapping[VoucherId, Holders]


class Advance(msgspec.Struct, frozen=True, kw_only=True):
    """Money that one key gets from one voucher before its close."""

    transfer_id: TransferId
    voucher_id: VoucherId
    person_id: PersonId
    key_id: bytes
    document_id: bytes | None  # the hand-back
    reason: str
    amount_minor: int


class Releases:
    """Early releases, from the promise to the posted transfer."""

    def __init__(
        self, db: Database, *, ledger: Ledger, directory: Directory, issuer: Issuer, policy: Policy, jobs: Jobs
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._directory = directory
        self._issuer = issuer
        self._policy = policy
        self._jobs = jobs

    async def beneficiaries(
        self, connection: Connection | Connections, chains: Iterable[Chain], *, own: Iterable[Device] = ()
    ) -> list[Device]:
        """Return the phones that some claims could release money to: those that hand back, and receive-only ones.

        `own` are phones that the caller knows; only others are asked for.
        """
        operator = self._issuer.operator_ids
        payers = {chain.payer_id for chain in chains if chain.payment.body.payee_id in operator}
        payees = {payment.body.payee_id for chain in chains for payment in chain.payments}
        devices = [device for device in own if device.key_id in payers | payees]
        if others := (payers | payees) - {device.key_id for device in devices}:
            devices += [to_device(row) for row in await connection.fetch(SQL["devices_by_key_id"], list(others))]
        return [device for device in devices if device.key_id in payers or device.receive_only]

    async def promise(
        self, tx: Connection, chains: Iterable[Chain], devices: Iterable[Device], voucher_ids: Iterable[VoucherId]
    ) -> list[TransferId]:
        """Write down what some newly appended claims release, with a job for each. Returns the transfers to post.

        The caller holds `lock_holder` of every owner of `devices` and the locks of the vouchers that the chains touch.
        """
        by_key = {device.key_id: device for device in devices}
        if not by_key:
            return []
        rows = await tx.fetch(SQL["vouchers_to_release"], list(voucher_ids))
        open_vouchers = {row["document_id"]: to_open_voucher(row) for row in rows}
        if not open_vouchers:
            return []
        operator = self._issuer.operator_ids
        # Each voucher is judged once, however many documents of this sync touch it.
        holders = (await read_standing(tx, open_vouchers.values(), operator=operator)).holders
        found: list[TransferId] = []
        for chain in chains:
            device = by_key.get(chain.payer_id)
            if device is not None and chain.payment.body.payee_id in operator:
                found += await self._hand_back(tx, chain, device, open_vouchers, holders)
        for device in by_key.values():
            if device.receive_only:
                found += await self._final_part(tx, device, open_vouchers, holders)
        return found

    async def _hand_back(
        self, tx: Connection, chain: Chain, device: Device, vouchers: Mapping[bytes, OpenVoucher], holders: HoldersOf
    ) -> list[TransferId]:
        """Promise what a hand-back releases of each voucher, within what is left of the person's limit L."""
        person = await self._directory.person(device.person_id)
        assert person is not None, device.person_id
        limit_minor = self._policy.of(person.tier).early_release_minor
        asked: dict[VoucherId, int] = {}
        for way in chain.traces:
            if (voucher := vouchers.get(way.voucher.id)) is not None:
                asked[voucher.voucher_id] = asked.get(voucher.voucher_id, 0) + way.units[1]
        found = []
        for voucher_id, asked_minor in sorted(asked.items()):
            # Units that somebody else claims too aren't among those handed back: they wait for the close.
            mine = [claim for claim in holders[voucher_id].claims if claim.key_id == device.key_id]
            given_minor = sum(claim.handed_back for claim in mine)
            done_minor = await tx.fetchval(SQL["advanced_to_key"], device.key_id, voucher_id, HAND_BACK)
            used_minor = await tx.fetchval(SQL["hand_backs_advanced"], device.person_id)
            escrow_minor = await tx.fetchval(SQL["escrow_left"], voucher_id)
            amount_minor = min(asked_minor, given_minor - done_minor, limit_minor - used_minor, escrow_minor)
            if amount_minor > 0 and not await tx.fetchval(SQL["is_advanced"], chain.payment.id, voucher_id):
                advance = Advance(
                    transfer_id=TransferId(uuid5(voucher_id, f"hand_back/{chain.payment.id.hex()}")),
                    voucher_id=voucher_id,
                    person_id=device.person_id,
                    key_id=device.key_id,
                    document_id=chain.payment.id,
                    reason=HAND_BACK,
                    amount_minor=amount_minor,
                )
                found.append(await self._write(tx, advance))
        return found

    async def _final_part(
        self, tx: Connection, device: Device, vouchers: Mapping[bytes, OpenVoucher], holders: HoldersOf
    ) -> list[TransferId]:
        """Promise what is final of a receive-only phone's claims and wasn't released yet.

        Final is what is locked to it + min(B, sum of min(cover, claimed) over the other open vouchers)
        (tikicash.settlement.final_before_close). What was advanced on a voucher never exceeds its term of the sum, and
        what of it isn't locked never exceeds B, so that only the vouchers that this sync touched need to be judged.
        """
        rows = await tx.fetch(SQL["final_advanced"], device.key_id)
        advanced = {row["voucher_id"]: row["advanced_minor"] for row in rows}
        left_minor = device.budget_minor - sum(row["advanced_minor"] for row in rows if not row["is_locked"])
        found = []
        for voucher in sorted(vouchers.values(), key=lambda item: (item.claim_by, item.voucher_id)):
            claimed_minor = holders[voucher.voucher_id].claimed.get(device.key_id, 0)
            is_locked = voucher.audience_key_id is not None
            final_minor = claimed_minor if is_locked else min(voucher.cover_minor, claimed_minor)
            room_minor = final_minor - advanced.get(voucher.voucher_id, 0)
            # Claims may exceed what is there: when it was spent twice, or released to the payer who handed it back.
            # The rest comes at the close.
            amount_minor = min(room_minor, await tx.fetchval(SQL["escrow_left"], voucher.voucher_id))
            if not is_locked:
                amount_minor = min(amount_minor, left_minor)
            if amount_minor > 0:
                number = await tx.fetchval(SQL["count_advances"], device.key_id, voucher.voucher_id)
                advance = Advance(
                    transfer_id=TransferId(uuid5(voucher.voucher_id, f"final/{device.key_id.hex()}/{number + 1}")),
                    voucher_id=voucher.voucher_id,
                    person_id=device.person_id,
                    key_id=device.key_id,
                    document_id=None,
                    reason=FINAL,
                    amount_minor=amount_minor,
                )
                found.append(await self._write(tx, advance))
                left_minor -= 0 if is_locked else amount_minor
        return found

    async def _write(self, tx: Connection, advance: Advance) -> TransferId:
        await tx.execute(SQL["insert_advance"], *msgspec.structs.astuple(advance))
        await tx.execute(SQL["add_released"], advance.voucher_id, advance.amount_minor)
        await self._jobs.enqueue(tx, POST_ADVANCE, key=str(advance.transfer_id), after_seconds=JOB_AFTER_SECONDS)
        return advance.transfer_id

    async def post(self, transfer_id: TransferId) -> None:
        """Move the money of a promised release from escrow to the wallet. Repeatable: also the job."""
        row = await self._db.pool.fetchrow(SQL["advance"], transfer_id)
        if row["is_posted"]:
            return
        currency = self._policy.currency
        result = await self._ledger.post(
            Transfer(
                transfer_id=transfer_id,
                debit_account_id=derive_account_id(row["voucher_id"], AccountKind.ESCROW, currency),
                credit_account_id=derive_account_id(row["person_id"], AccountKind.WALLET, currency),
                amount_minor=row["amount_minor"],
                currency=currency,
                kind=TransferKind.RELEASE,
            )
        )
        # A wallet at its highest balance takes it later: the job asks again until it does.
        if not result.is_posted:
            raise NotYet(f"the ledger says {result.outcome}")
        await self._db.pool.execute(SQL["insert_advance_posted"], transfer_id, result.posted_at)


def person_ids(devices: Iterable[Device]) -> list[PersonId]:
    """Return whose phones these are, in the order in which people are locked."""
    return sorted({device.person_id for device in devices})
