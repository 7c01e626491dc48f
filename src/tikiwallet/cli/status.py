"""What this wallet is and how it stands, without asking anybody."""

from dataclasses import dataclass
from datetime import datetime

from tikiwallet.cli.local import Local, local_money
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
    retired_keys: int
    local: Local
    currency: str


def status(wallet: Wallet) -> Status:
    """Return how the wallet stands. Problem: `PermissionsTooOpen`."""
    row, keys, session = wallet.key(), wallet.store.run("keys"), wallet.session()
    return Status(
        folder=str(wallet.folder),
        server=wallet.store.setting("server"),
        username=wallet.store.setting("username"),
        signed_in_until=datetime.fromisoformat(session.expires_at) if session else None,
        key=row["key_id"].hex()[:8] if row else "none yet" if not keys else "retired; tiki sync makes a new one",
        device_id=(row["device_id"] or "") if row else "",
        newest_signed_time=wallet.newest_signed_time(),
        retired_keys=sum(item["retired_at"] is not None for item in keys),
        local=local_money(wallet),
        currency=wallet.store.setting("currency"),
    )
