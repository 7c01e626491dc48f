"""What the folder itself knows: offline money, and everything that was asked, paid and received with no network."""

from dataclasses import dataclass
from typing import Final

from tikicash.book import spendable
from tikiwallet.cli.answers import MoneyView
from tikiwallet.cli.book_table import read_book
from tikiwallet.cli.locked import Locked, locked_money
from tikiwallet.cli.online import kept_view
from tikiwallet.cli.problems import NothingStored
from tikiwallet.cli.trust import my_certificate
from tikiwallet.cli.wallet_folder import Wallet

ID_PREFIX_MIN: Final = 4
NOBODY: Final = bytes(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingHome:
    """Money of a retired key: not spent from here any more, credited by its date."""

    amount_minor: int
    claim_by: int  # unix seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Offline money as this folder knows it, in minor units."""

    spendable_minor: int  # can be paid to anybody now
    locked: list[Locked]  # can be paid to one phone each
    kept_minor: int  # received for good: by a phone that only receives, or locked to this phone
    received_minor: int  # the part of it that others paid: the operator's final and provisional count it too
    resting_minor: (
        int  # held, and too old or too often handed on to be paid with; `tiki sync` or `unload` bring it home
    )
    unbrought: int  # documents that the operator has yet to see
    coming_home: list[ComingHome]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceShown:
    """All money: as the operator says if he can be asked, and as this folder knows it."""

    is_fresh: bool
    view: MoneyView | None  # None: never heard
    local: Local
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something stored with no network, and its code to show again."""

    id: str
    kind: str  # request, made, hand_back, received or refused
    who: str
    amount_minor: int
    memo: str
    made_at: int
    claim_by: int | None
    state: str
    code: str
    receipt_code: str
    refund_of: str  # the id of the payment that this one gives back, or ""
    given_back_minor: int  # how much of this one was given back


def local_money(wallet: Wallet) -> Local:
    """Return offline money as this folder knows it."""
    book, row, now = read_book(wallet.store), wallet.key(), wallet.now()
    mine = row["key_id"] if row else NOBODY
    certificate, _ = my_certificate(wallet)
    may = certificate is not None and certificate.body.may_hand_on and certificate.body.valid_until >= now
    usable = spendable(book, owner_id=mine, payee_id=NOBODY, now=now, may_hand_on=may)
    spendable_minor = sum(item.count for item in usable)
    held = [item for item in book.holdings if item.owner_id == mine]
    locked = locked_money(wallet, held, mine=mine, now=now)
    only_receives = certificate is not None and not certificate.body.may_hand_on
    kept_minor = sum(
        item.count for item in held if item.depth > 0 and (only_receives or item.terms.audience_id == mine)
    )
    held_minor = sum(item.count for item in held)
    return Local(
        spendable_minor=spendable_minor,
        received_minor=sum(item.count for item in usable if item.depth > 0),
        locked=locked,
        kept_minor=kept_minor,
        resting_minor=held_minor - spendable_minor - kept_minor - sum(item.amount_minor for item in locked),
        unbrought=len(wallet.store.run("outbox")),
        coming_home=[ComingHome(**dict(item)) for item in wallet.store.run("coming_home", now=now)],
    )


def known_balance(wallet: Wallet, *, is_fresh: bool) -> BalanceShown:
    """Return what this folder knows of all money, the operator's part as it was heard last, or just now."""
    kept = kept_view(wallet)
    return BalanceShown(
        is_fresh=is_fresh,
        view=kept.view if kept else None,
        local=local_money(wallet),
        currency=wallet.store.setting("currency"),
    )


def entries(wallet: Wallet) -> list[Entry]:
    """Return everything stored with no network, newest first."""
    return [Entry(**dict(item)) for item in wallet.store.run("offline_list")]


def find_entry(wallet: Wallet, wanted: str) -> Entry:
    """Return the entry with an id, or the only one whose id starts so (4 characters or more).

    Problem: `NothingStored`.
    """
    found = [item for item in entries(wallet) if item.id == wanted.lower()]
    if not found and len(wanted) >= ID_PREFIX_MIN:
        found = [item for item in entries(wallet) if item.id.startswith(wanted.lower())]
    if len(found) != 1:
        raise NothingStored
    return found[0]
