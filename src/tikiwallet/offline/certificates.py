"""Certificates: the operator's word that a phone is registered, and up to which amount its owner is covered.

A cover budget (B) is a promise of the operator's own money, so what one person's certificates promise together never
exceeds the tier's budget: it is counted under a lock on the person, and the database refuses more.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from tikicash.messages import Certificate, Signed, commitment, key_id, signed
from tikiwallet.identity.types import PersonId
from tikiwallet.offline.exposure import is_paused
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.policy import TierPolicy
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import Device, to_device
from tikiwallet.platform.db import Connection

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REUSE_SECONDS = 3600  # a phone that syncs often gets the same certificate: each one is kept for ever


async def lock_holder(tx: Connection, person_id: PersonId) -> None:
    """Lock the row of one person until the transaction ends, making it on first use.

    Whatever counts budgets, vouchers or releases of a person holds this lock. Several persons: in the order of ids.
    """
    await tx.execute(SQL["ensure_holder"], person_id)
    await tx.execute(SQL["lock_holder"], person_id)


async def certify(
    tx: Connection, device: Device, *, policy: TierPolicy, issuer: Issuer, now: datetime
) -> Signed[Certificate]:
    """Return a certificate for a phone that isn't retired, with what is left of its budget.

    The caller holds `lock_holder`. A certificate younger than an hour that says the same is returned again.
    """
    assert device.retired_at is None, device.device_id
    budget_minor = await _budget(tx, device, policy=policy, now=now)
    body = _body(device, budget_minor=budget_minor, policy=policy, issuer=issuer, now=now)
    latest = await tx.fetchrow(SQL["latest_certificate"], device.key_id)
    if latest is not None:
        known: Signed[Certificate] = signed(latest["payload"], latest["signature"])
        if _is_good_enough(known.body, body):
            return known
    certificate = issuer.sign(body)
    await save_certificates(tx, [certificate])
    return certificate


def certificate_at_hand(
    row: asyncpg.Record | None, *, policy: TierPolicy, issuer: Issuer, now: datetime
) -> tuple[Device, Signed[Certificate]] | None:
    """Return a phone as it is now, and the certificate that `certify` would return if that would change nothing.

    For a phone that syncs often, which needs no lock then: what it is given was promised before. None if in doubt.
    `row` is what `read_at_hand` found of the phone.
    """
    if row is None or row["retired_at"] is not None or row["may_give_back"]:
        return None
    device = to_device(row)
    if row["is_paused"]:
        grant_minor = 0
    elif policy.budget_per_phone:
        grant_minor = _renewal(device, policy=policy, now=now)
    else:
        grant_minor = policy.budget_minor - row["granted_minor"]
    known: Signed[Certificate] = signed(row["payload"], row["signature"])
    body = _body(device, budget_minor=device.budget_minor, policy=policy, issuer=issuer, now=now)
    return (device, known) if grant_minor <= 0 and _is_good_enough(known.body, body) else None


def _body(
    device: Device, *, budget_minor: int, policy: TierPolicy, issuer: Issuer, now: datetime
) -> Certificate:  # fmt: skip
    return Certificate(
        net=issuer.net,
        issuer=issuer.number_at(now),
        key=device.public_key,
        issued_at=int(now.timestamp()),
        valid_until=int(now.timestamp()) + policy.certificate_seconds,
        tier=policy.number,
        cover_budget=min(budget_minor, policy.budget_minor),
        may_hand_on=not device.receive_only,
        name_commit=commitment(device.opening),
    )


def _is_good_enough(known: Certificate, wanted: Certificate) -> bool:
    return wanted.issued_at - known.issued_at < REUSE_SECONDS and _says_the_same(known, wanted)


async def save_certificates(tx: Connection, certificates: Iterable[Signed[Certificate]]) -> None:
    """Keep certificates that the operator signed: ours as issued, or found in chains. Safe to repeat."""
    # In the order of ids, so that two syncs can't wait for each other.
    rows = [
        (
            item.id, key_id(item.body.key), item.payload, item.signature,
            EPOCH + timedelta(seconds=item.body.issued_at), EPOCH + timedelta(seconds=item.body.valid_until),
            item.body.cover_budget,
        )
        for item in sorted(certificates, key=lambda item: item.id)
    ]  # fmt: skip
    if rows:
        await tx.execute(SQL["insert_certificates"], *map(list, zip(*rows, strict=True)))


def _says_the_same(one: Certificate, other: Certificate) -> bool:
    def terms(body: Certificate) -> tuple[Any, ...]:
        return (body.issuer, body.tier, body.cover_budget, body.may_hand_on, body.name_commit)

    return terms(one) == terms(other)


async def _budget(tx: Connection, device: Device, *, policy: TierPolicy, now: datetime) -> int:
    """Return the phone's budget in minor units after granting it what the tier still allows."""
    if await is_paused(tx):
        return device.budget_minor  # what was promised stays; nothing is added
    if policy.budget_per_phone:
        grant_minor = _renewal(device, policy=policy, now=now)
    else:
        await _take_back(tx, device.person_id, policy=policy, now=now)
        free_minor: int = await tx.fetchval(SQL["raise_grant"], device.person_id, policy.budget_minor)
        grant_minor = free_minor
    if grant_minor == 0:
        return device.budget_minor
    await tx.execute(SQL["change_budget"], device.device_id, grant_minor, now)
    await tx.execute(SQL["insert_budget_change"], device.device_id, "granted", grant_minor)
    return device.budget_minor + grant_minor


def _renewal(device: Device, *, policy: TierPolicy, now: datetime) -> int:
    """Return what a phone with a budget of its own is granted now: the whole at first, what was used later."""
    is_new = device.budget_renewed_at == device.registered_at and device.budget_minor == 0
    renewal_seconds = policy.budget_renewal_seconds
    is_due = renewal_seconds is not None and now >= device.budget_renewed_at + timedelta(seconds=renewal_seconds)
    return max(0, policy.budget_minor - device.budget_minor) if is_new or is_due else 0


async def _take_back(tx: Connection, person_id: PersonId, *, policy: TierPolicy, now: datetime) -> None:
    """Take back the budgets of retired phones that nobody can rely on any more.

    A payment that the phone accepted under its last certificate may still be on its way until that certificate has
    ended and every voucher of that time is closed.
    """
    ended_before = now - timedelta(seconds=policy.claim_seconds)
    for row in await tx.fetch(SQL["budgets_to_take_back"], person_id, ended_before):
        await tx.execute(SQL["insert_budget_change"], row["device_id"], "returned", -row["budget_minor"])
        await tx.execute(SQL["change_budget"], row["device_id"], -row["budget_minor"], now)
        await tx.execute(SQL["lower_grant"], person_id, row["budget_minor"])
