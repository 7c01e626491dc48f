"""Phones: whoever proves to hold a key may register it, and it is theirs for ever.

An account is found from a key and never from who brings a document, so a key that could move to another person would
take that person's claims with it. A retired key gets nothing new, and what was paid to it is still paid out.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tikicash.cose import check_point, verify_signature
from tikicash.errors import Rejected
from tikicash.fields import NAME
from tikicash.messages import key_id, signed
from tikiwallet.identity.types import Person, PersonId
from tikiwallet.offline.certificates import certify, lock_holder
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.policy import Policy
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.revocations import read_blocked, revoke
from tikiwallet.offline.types import Blocked, BlockReason, Device, DeviceId, Registered, to_device
from tikiwallet.platform.connections import Connections
from tikiwallet.platform.db import Connection, Database
from tikiwallet.platform.errors import Kind, Refused

CHALLENGE_TTL_SECONDS: Final = 300
CHALLENGE_TAG: Final = b"TK1/device"


class ChallengeInvalid(Refused):
    """This challenge was used, is too old or isn't yours; ask for a new one and sign that."""

    code, kind = "challenge_invalid", Kind.UNPROCESSABLE


class PublicKeyInvalid(Refused):
    """This isn't the key of a phone: send a compressed point on P-256, 33 bytes."""

    code, kind = "public_key_invalid", Kind.INVALID


class DeviceNameInvalid(Refused):
    """A phone's name has 1 to 64 bytes of text that can be seen."""

    code, kind = "device_name_invalid", Kind.INVALID


class DeviceSignatureWrong(Refused):
    """The phone didn't sign the challenge with this key; sign "TK1/device", the challenge and the public key."""

    code, kind = "device_signature_wrong", Kind.UNPROCESSABLE


class DeviceKeyTaken(Refused):
    """This key was registered before and can't be used again; let the phone make a new key."""

    code, kind = "device_key_taken", Kind.CONFLICT


class DeviceUnknown(Refused):
    """You have no such phone; see the list of your phones."""

    code, kind = "device_unknown", Kind.MISSING


class DeviceRetired(Refused):
    """This phone's key is retired; let the phone make a new key and register it."""

    code, kind = "device_retired", Kind.CONFLICT


class TooManyDevices(Refused):
    """You have as many phones as you may; retire one that you don't use any more."""

    code, kind = "too_many_devices", Kind.UNPROCESSABLE


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What a phone has to sign before `expires_at` to be registered."""

    challenge_id: UUID
    challenge: bytes  # 32 bytes
    expires_at: datetime


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A phone that wants to be registered. `name` is a label in its owner's list; nobody else sees it."""

    challenge_id: UUID
    public_key: bytes
    signature: bytes
    name: str
    receive_only: bool


class Devices:
    """The phones of all people."""

    def __init__(self, db: Database, *, issuer: Issuer, policy: Policy) -> None:
        self._db = db
        self._issuer = issuer
        self._policy = policy

    async def challenge(self, person_id: PersonId, *, challenge_id: UUID, challenge: bytes, now: datetime) -> Challenge:
        """Return a fresh challenge for one registration; `challenge` is 32 random bytes."""
        expires_at = now + timedelta(seconds=CHALLENGE_TTL_SECONDS)
        async with self._db.transaction() as tx:
            await tx.execute(SQL["delete_old_challenges"], person_id, now)
            await tx.execute(SQL["insert_challenge"], challenge_id, person_id, challenge, expires_at)
        return Challenge(challenge_id=challenge_id, challenge=challenge, expires_at=expires_at)

    async def register(
        self, order: Registration, person: Person, *, device_id: DeviceId, name_salt: bytes, now: datetime
    ) -> Registered:
        """Register a phone of `person` and return it with its first certificate.

        The same order again (the answer was lost) returns the same phone. Refusals: `PublicKeyInvalid`,
        `DeviceNameInvalid`, `DeviceSignatureWrong`, `ChallengeInvalid`, `DeviceKeyTaken`, `TooManyDevices`.
        """
        _check_order(order, operator_ids=self._issuer.operator_ids)
        policy = self._policy.of(person.tier)
        async with self._db.transaction() as tx:
            await lock_holder(tx, person.person_id)
            known = await tx.fetchrow(SQL["device_by_key"], order.public_key)
            is_retry = known is not None and known["challenge_id"] == order.challenge_id
            await _use_challenge(tx, order, person.person_id, is_retry=is_retry, now=now)
            if known is None:
                if await tx.fetchval(SQL["count_active_devices"], person.person_id) >= policy.phones_max:
                    raise TooManyDevices(f"You may have {policy.phones_max} phones; retire one that you don't use.")
                await tx.execute(
                    SQL["insert_device"], device_id, person.person_id, order.public_key, key_id(order.public_key),
                    order.name, person.username, name_salt, order.receive_only or policy.receive_only,
                    order.challenge_id, now,
                )  # fmt: skip
                known = await tx.fetchrow(SQL["device_by_key"], order.public_key)
            device = to_device(known)
            if device.person_id != person.person_id or device.retired_at is not None:
                raise DeviceKeyTaken
            certificate = await certify(tx, device, policy=policy, issuer=self._issuer, now=now)
            return Registered(device=device, certificate=certificate)

    async def of_person(self, person_id: PersonId) -> list[Registered]:
        """Return the phones of a person, oldest first, each with its newest certificate (none once retired)."""
        devices = await read_devices(self._db.pool, person_id)
        blocked = await read_blocked(self._db.pool, [device.key_id for device in devices])
        return [await self._registered(device, blocked.get(device.key_id)) for device in devices]

    async def find(self, device_id: DeviceId, person_id: PersonId) -> Device:
        """Return a phone of this person. Refusal: `DeviceUnknown`, also for somebody else's phone."""
        return await find_device(self._db.pool, device_id, person_id)

    async def owner(self, wanted: bytes) -> PersonId | None:
        """Return whose phone has the key with this id (16 bytes); None if nobody's has, or the key is retired."""
        rows = await self._db.pool.fetch(SQL["devices_by_key_id"], [wanted])
        return next((device.person_id for device in map(to_device, rows) if device.retired_at is None), None)

    async def retire(self, device_id: DeviceId, person_id: PersonId, *, now: datetime) -> Registered:
        """Retire the key of a phone for ever; phones are told with the next list. Safe to repeat.

        Refusal: `DeviceUnknown`.
        """
        async with self._db.transaction() as tx:
            await lock_holder(tx, person_id)
            device = await find_device(tx, device_id, person_id)
            if device.retired_at is None:
                await tx.execute(SQL["retire_device"], device_id, now)
                await revoke(tx, device.key_id, reason=BlockReason.RETIRED)
                device = msgspec.structs.replace(device, retired_at=now)
            blocked = await read_blocked(tx, [device.key_id])
        return Registered(device=device, certificate=None, blocked=blocked[device.key_id])

    async def _registered(self, device: Device, blocked: Blocked | None) -> Registered:
        row = None
        if device.retired_at is None:
            row = await self._db.pool.fetchrow(SQL["latest_certificate"], device.key_id)
        certificate = signed(row["payload"], row["signature"]) if row is not None else None
        return Registered(device=device, certificate=certificate, blocked=blocked)


async def find_device(connection: Connection | Connections, device_id: DeviceId, person_id: PersonId) -> Device:
    """Return a phone of this person. Refusal: `DeviceUnknown`, also for somebody else's phone."""
    row = await connection.fetchrow(SQL["device_of_person"], device_id, person_id)
    if row is None:
        raise DeviceUnknown
    return to_device(row)


async def read_devices(connection: Connection | Connections, person_id: PersonId) -> list[Device]:
    """Return the phones of a person, oldest first, retired ones too."""
    return [to_device(row) for row in await connection.fetch(SQL["devices_of_person"], person_id)]


def _check_order(order: Registration, *, operator_ids: frozenset[bytes]) -> None:
    """Refuse a key that no phone can have, and a name that can't be read."""
    try:
        check_point(order.public_key)
    except Rejected as error:
        raise PublicKeyInvalid(field="public_key") from error
    if key_id(order.public_key) in operator_ids:
        raise PublicKeyInvalid(field="public_key")  # a phone with the operator's key would take every hand-back
    try:
        NAME(order.name)
    except ValueError as error:
        raise DeviceNameInvalid(field="name") from error


async def _use_challenge(
    tx: Connection, order: Registration, person_id: PersonId, *, is_retry: bool, now: datetime
) -> None:
    """Use up the challenge of an order, unless the very same order used it before (its answer was lost)."""
    row = await tx.fetchrow(SQL["lock_challenge"], order.challenge_id, person_id, now)
    if row is None or (row["consumed_at"] is not None and not is_retry):
        raise ChallengeInvalid
    if not verify_signature(order.public_key, CHALLENGE_TAG + row["challenge"] + order.public_key, order.signature):
        raise DeviceSignatureWrong
    await tx.execute(SQL["consume_challenge"], order.challenge_id, now)
