"""Money that is locked to one payee's phone: for whom, and until when; and the phone that only receives, its payee.

It stands apart from what can be paid to anybody: who counts on 50.00 at a counter and finds that 20.00 of it are for
another shop has been told something wrong.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tikicash.book import Holding
from tikicash.messages import Signed, Voucher, key_id, parse
from tikiwallet.cli.problems import PhoneRegisteredOtherwise
from tikiwallet.cli.trust import my_certificate
from tikiwallet.cli.wallet_folder import Wallet

NAME_OF_KEY = "name_of_key/{}"  # a setting: whose phone it is, as the operator said
RECEIVE_ONLY = "receive_only"  # a setting: "1" if keys of this phone are registered as receive-only


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """Money that only one phone may be paid with, in minor units; it can be paid until `spend_by` (unix seconds)."""

    amount_minor: int
    payee_name: str  # "" if the operator didn't say
    payee_key_id: str  # hex
    spend_by: int


def remember_audience(wallet: Wallet, voucher: bytes, *, locked_to: str) -> None:
    """Remember whose phone a voucher is locked to, as the operator said; nothing for one that is for everybody."""
    document = parse(voucher)
    assert isinstance(document, Signed)
    assert isinstance(document.body, Voucher)
    if document.body.audience_key is not None and locked_to:
        wallet.store.remember(NAME_OF_KEY.format(key_id(document.body.audience_key).hex()), locked_to)


def locked_money(wallet: Wallet, holdings: Iterable[Holding], *, mine: bytes, now: int) -> list[Locked]:
    """Return what of some holdings is locked to others and in date, by payee and date; `mine` is the key id in use."""
    amounts: Counter[tuple[int, bytes]] = Counter()
    for item in holdings:
        audience_id = item.terms.audience_id
        if item.owner_id == mine and audience_id not in (None, mine) and item.spend_by >= now:
            amounts[item.spend_by, audience_id] += item.count
    return [
        Locked(
            amount_minor=amount_minor,
            payee_name=wallet.store.setting(NAME_OF_KEY.format(audience_id.hex())),
            payee_key_id=audience_id.hex(),
            spend_by=spend_by,
        )
        for (spend_by, audience_id), amount_minor in sorted(amounts.items())
    ]


def is_receive_only(wallet: Wallet) -> bool:
    """Tell whether keys of this phone are registered as receive-only: they can't pay, and get their money sooner."""
    return wallet.store.setting(RECEIVE_ONLY) == "1"


def choose_receive_only(wallet: Wallet, wanted: bool | None) -> None:
    """Note what keys of this phone are to be registered as; None leaves it as it was.

    Problem: `PhoneRegisteredOtherwise` if the key in use is registered, since that never changes.
    """
    if wanted is None:
        return
    row = wallet.key()
    if row is not None and row["device_id"]:
        certificate, _ = my_certificate(wallet)
        only_receives = is_receive_only(wallet) if certificate is None else not certificate.body.may_hand_on
        if only_receives != wanted:
            raise PhoneRegisteredOtherwise
    wallet.store.remember(RECEIVE_ONLY, "1" if wanted else "0")
