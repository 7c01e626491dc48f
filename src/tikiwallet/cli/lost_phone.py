"""A phone is lost: block it at once, sign everybody else out, and say what becomes of its money.

The key is blocked first: everything after it may fail for want of a network and can be asked again.
"""

from dataclasses import dataclass

from tikiwallet.cli.answers import Device, PhoneMoney, SignIns
from tikiwallet.cli.problems import PhoneUnknown
from tikiwallet.cli.server import Online
from tikiwallet.cli.sync import devices, retire_device


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What came of blocking a phone."""

    phone: PhoneMoney
    ended: int  # sign-ins that were ended: whoever has the phone may have been signed in


def find_phone(online: Online, wanted: str) -> Device:
    """Return the phone of mine whose id begins so. Problems: `PhoneUnknown`, those of `Server.call`."""
    found = [item for item in devices(online) if item.device_id.startswith(wanted.lower())]
    if len(found) != 1 or not wanted:
        raise PhoneUnknown
    return found[0]


def money_on(online: Online, device_id: str) -> PhoneMoney:
    """Return what is on a phone of mine. Problems: those of `Server.call`."""
    return online.get(f"/v1/offline/devices/{device_id}/money", PhoneMoney)


def report_lost(online: Online, device_id: str) -> Lost:
    """Block a phone's key, end every other session, and return what becomes of its money. Safe to repeat.

    Problems: those of `Server.call`.
    """
    retire_device(online, device_id)
    others = [item for item in online.get("/v1/sessions", SignIns).items if not item.is_current]
    online.delete("/v1/sessions/others")
    return Lost(phone=money_on(online, device_id), ended=len(others))
