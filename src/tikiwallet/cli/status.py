"""What this wallet is and how it stands, without asking anybody."""

from dataclasses import dataclass
from datetime import datetime

from tikicash.safety import STALE_AFTER_SECONDS
from tikiwallet.cli.local import Local, local_money
from tikiwallet.cli.problems import NeverOnline
from tikiwallet.cli.trust import read_trust
from tikiwallet.cli.wallet_folder import Wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A wallet at a glance."""

    folder: str
    server: str
    username: str
    signed_in_until: datetime | None
    key: str  # the first 8 hex digits, or why there is none
    device_id: str
    newest_signed_time: int
    list_signed_at: int | None  # the list of blocked phones; None: there was none yet
    protected_until_at: int | None  # with an older list than 72 hours nobody is promised anything
    is_list_stale: bool
    retired_keys: int
    local: Local
    currency: str


def status(wallet: Wallet) -> Status:
    """Return how the wallet stands. Problem: `PermissionsTooOpen`."""
    row, keys, session = wallet.key(), wallet.store.run("keys"), wallet.session()
    list_signed_at = _list_signed_at(wallet)
    protected_until_at = list_signed_at + STALE_AFTER_SECONDS if list_signed_at else None
    return Status(
        folder=str(wallet.folder),
        server=wallet.store.setting("server"),
        username=wallet.store.setting("username"),
        signed_in_until=datetime.fromisoformat(session.expires_at) if session else None,
        key=row["key_id"].hex()[:8] if row else "none yet" if not keys else "retired; tiki sync makes a new one",
        device_id=(row["device_id"] or "") if row else "",
        newest_signed_time=wallet.newest_signed_time(),
        list_signed_at=list_signed_at,
        protected_until_at=protected_until_at,
        is_list_stale=protected_until_at is None or wallet.now() > protected_until_at,
        retired_keys=sum(item["retired_at"] is not None for item in keys),
        local=local_money(wallet),
        currency=wallet.store.setting("currency"),
    )


def _list_signed_at(wallet: Wallet) -> int | None:
    try:
        return read_trust(wallet.store).list_signed_at or None
    except NeverOnline:
        return None
