"""To whom money is locked: a registered phone of somebody else, that is in use when the money is loaded.

Locked money can go nowhere else, so a mistake here would leave its owner with money that nobody takes until it comes
home. Rule: protocol/spec/05-close.md, "locked vouchers".
"""

from collections.abc import Iterable

from tikicash.cose import check_point
from tikicash.errors import Rejected
from tikicash.messages import key_id
from tikiwallet.identity.types import PersonId
from tikiwallet.offline.devices import PublicKeyInvalid
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.revocations import read_blocked
from tikiwallet.offline.types import Audience, Device, to_device
from tikiwallet.platform.connections import Connections
from tikiwallet.platform.db import Connection
from tikiwallet.platform.errors import Kind, Refused


class AudienceUnknown(Refused):
    """No registered phone has this key; let the payee go online once, then load again."""

    code, kind = "audience_unknown", Kind.MISSING


class AudienceBlocked(Refused):
    """This phone is blocked, so nobody pays it any more; ask the payee for a request from a phone in use."""

    code, kind = "audience_blocked", Kind.CONFLICT


class AudienceIsYou(Refused):
    """This is a phone of your own, so the money could only come home again; lock it to somebody else's phone."""

    code, kind = "audience_is_you", Kind.UNPROCESSABLE


def audience_key_id(audience_key: bytes | None) -> bytes | None:
    """Return the key id of an audience (None: none). Refusal: `PublicKeyInvalid` for what is no key."""
    if audience_key is None:
        return None
    try:
        check_point(audience_key)
    except Rejected as error:
        raise PublicKeyInvalid(field="audience_key") from error
    return key_id(audience_key)


async def find_audience(tx: Connection, key: bytes | None, person_id: PersonId) -> Device | None:
    """Return the phone with a key id to which a person locks money (None: to nobody).

    Money locked to a phone of one's own would be released at once if that phone only receives, and so be a way around
    the early-release limit L. Refusals: `AudienceUnknown`, `AudienceIsYou`, `AudienceBlocked`.
    """
    if key is None:
        return None
    audience = (await read_audiences(tx, [key])).get(key)
    if audience is None:
        raise AudienceUnknown(field="audience_key")
    if audience.device.person_id == person_id:
        raise AudienceIsYou(field="audience_key")
    if audience.blocked is not None:
        raise AudienceBlocked(field="audience_key")
    return audience.device


async def read_audiences(
    connection: Connection | Connections, keys: Iterable[bytes | None]
) -> dict[bytes, Audience]:  # fmt: skip
    """Return the phones with some key ids; None among them stands for money that is locked to nobody."""
    wanted = [key for key in keys if key is not None]
    if not wanted:
        return {}
    blocked = await read_blocked(connection, wanted)
    devices = map(to_device, await connection.fetch(SQL["devices_by_key_id"], wanted))
    return {item.key_id: Audience(device=item, blocked=blocked.get(item.key_id)) for item in devices}
