"""Another password or phone number for the account of this wallet, and what waits.

Use cases only: the commands (commands_recovery.py) ask and show, the server decides.
"""

from datetime import datetime

import msgspec

from tikiwallet.cli.answers import Nothing
from tikiwallet.cli.problems import ChangeMissing
from tikiwallet.cli.server import Online, Server
from tikiwallet.cli.wallet_folder import Wallet


class ResetStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A new password that waits for its code."""

    reset_id: str
    code_expires_at: datetime


class ChangeStarted(msgspec.Struct, frozen=True, kw_only=True):
    """Another phone number that waits for its codes."""

    change_id: str
    code_expires_at: datetime


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is true from `effective_at`."""

    effective_at: datetime


class WaitingPassword(msgspec.Struct, frozen=True, kw_only=True):
    """A new password that isn't true yet."""

    effective_at: datetime


class WaitingPhone(msgspec.Struct, frozen=True, kw_only=True):
    """A new phone number that isn't true yet."""

    phone_masked: str
    effective_at: datetime


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, and until when little leaves the wallet."""

    password: WaitingPassword | None
    phone: WaitingPhone | None
    outgoing_capped_until: datetime | None


def forgot(wallet: Wallet, server: Server, *, phone: str) -> ResetStarted:
    """Have a code for a new password sent. Problems: those of `Server.call`."""
    started = server.call("POST", "/v1/password-resets", ResetStarted, body={"phone": phone})
    wallet.store.remember("reset_id", started.reset_id)
    wallet.store.remember("server", server.url)
    return started


def reset(wallet: Wallet, server: Server, *, code: str, password: str) -> Proven:
    """Choose the new password. Problems: `ChangeMissing`, those of `Server.call`."""
    path = f"/v1/password-resets/{_begun(wallet, 'reset_id')}/verification"
    proven = server.call("POST", path, Proven, body={"code": code, "password": password})
    wallet.store.remember("reset_id", "")
    return proven


def change_password(online: Online, *, old: str, new: str) -> None:
    """Change the password. Problems: those of `Server.call`."""
    online.post("/v1/me/password", Nothing, body={"old_password": old, "new_password": new})


def change_number(online: Online, *, phone: str, password: str) -> ChangeStarted:
    """Prove who is there, and have a code sent to both phones. Problems: those of `Server.call`."""
    online.post("/v1/proofs", Nothing, body={"password": password})
    started = online.post("/v1/me/phone-changes", ChangeStarted, body={"phone": phone})
    online.wallet.store.remember("change_id", started.change_id)
    return started


def prove_number(online: Online, *, new_code: str, old_code: str) -> Proven:
    """Move to the new number, at once with both codes. Problems: `ChangeMissing`, those of `Server.call`."""
    path = f"/v1/me/phone-changes/{_begun(online.wallet, 'change_id')}/verification"
    proven = online.post(path, Proven, body={"new_code": new_code, "old_code": old_code})
    online.wallet.store.remember("change_id", "")
    return proven


def protection(online: Online) -> Protection:
    """Return what waits. Problems: those of `Server.call`."""
    return online.get("/v1/me/protection", Protection)


def keep(online: Online, what: str) -> None:
    """Say no to a change that waits: "password" or "phone". Problems: those of `Server.call`."""
    online.delete(f"/v1/me/waiting-{what}")


def _begun(wallet: Wallet, setting: str) -> str:
    begun = wallet.store.setting(setting)
    if not begun:
        raise ChangeMissing
    return begun
