"""What is on one phone: asked when it is lost, sold or broken, and answered truthfully.

Somebody who lost a phone wants to know what is gone, what comes back and when, and what the finder can still do. The
operator knows what was brought and nothing else, so every amount here is "as far as anybody brought it"; and a key that
is blocked can still pay a payee who hasn't heard of it, so that is said too, with its last day.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tikicash.safety import STALE_AFTER_SECONDS
from tikiwallet.offline.money_lines import Line
from tikiwallet.offline.types import Blocked, BlockReason, Device
from tikiwallet.platform.money import Balance, format_decimal

STILL_HELD: Final = {
    "spendable",
    "locked",
    "coming_home",
    "waiting",
    "shared",
}  # states of lines that weren't given back


class PhoneMoney(msgspec.Struct, frozen=True, kw_only=True):
    """Money of one phone in open vouchers, as far as anybody brought its payments."""

    as_of: datetime
    device: Device
    blocked: Blocked | None
    payable: Balance  # the most that whoever has the phone could still pay somebody with
    payable_until: datetime | None
    received: Balance  # what the phone was paid
    final: Balance  # the part of it that is its owner's whatever happens
    home_at: datetime | None  # when the last of it is decided
    lines: tuple[Line, ...]
    sentences: tuple[str, ...]


def phone_money(
    device: Device, blocked: Blocked | None, lines: Sequence[Line], *, currency: str, lines_max: int, now: datetime
) -> PhoneMoney:
    """Return what the lines of one phone mean to its owner. Sums are over all lines, also those beyond `lines_max`."""
    payable = [line for line in lines if _is_payable(line, device, now=now)]
    received = [line for line in lines if line.line == "claim"]
    found = PhoneMoney(
        as_of=now,
        device=device,
        blocked=blocked,
        payable=_sum((line.amount for line in payable), currency),
        payable_until=max((line.spend_by for line in payable if line.spend_by is not None), default=None),
        received=_sum((line.amount for line in received), currency),
        final=_sum((line.final for line in received), currency),
        home_at=max((line.claim_by for line in lines if line.claim_by is not None), default=None),
        lines=tuple(lines[:lines_max]),
        sentences=(),
    )
    return msgspec.structs.replace(found, sentences=tuple(_sentences(found)))


def _is_payable(line: Line, device: Device, *, now: datetime) -> bool:
    """Tell whether the key of a phone may still pay with what a line is about: its own, or received and not kept."""
    if line.state not in STILL_HELD or line.spend_by is None or line.spend_by < now:
        return False
    return line.line == "voucher" or (line.line == "claim" and not device.receive_only)


def _sum(amounts: Iterable[Balance], currency: str) -> Balance:
    return Balance(amount_minor=sum(item.amount_minor for item in amounts), currency=currency)


def _sentences(found: PhoneMoney) -> Iterable[str]:
    until = _day(found.payable_until) if found.payable_until is not None else ""
    most = _text(found.payable)
    if found.blocked is None:
        if found.payable.amount_minor:
            yield f"Whoever can use this phone can pay up to {most} from it with no network until {until}."
        yield "If it is lost, block it: then nothing new comes onto it, and phones that sync refuse its money."
    else:
        yield from _blocked_sentences(found, found.blocked, most=most, until=until)
    if found.received.amount_minor:
        yield f"{_text(found.received)} that it was paid stays yours, whatever becomes of the phone."
    yield "Payments to it that nobody brought yet are credited to you from any copy: the payer's, or one carried here."


def _blocked_sentences(found: PhoneMoney, blocked: Blocked, *, most: str, until: str) -> Iterable[str]:
    if blocked.reason is BlockReason.SPENT_TWICE:
        yield "Its key signed the same money to two people, and there is a proof of it; so the key is blocked for ever."
    yield (
        f"Since {_day(blocked.blocked_at)} it gets nothing new, and every phone that synced since refuses its money."
    )
    if not found.payable.amount_minor:
        yield "As far as the operator knows, nothing on it can be paid to anybody any more."
        return
    warned = _day(blocked.blocked_at + timedelta(seconds=STALE_AFTER_SECONDS))
    yield (
        f"Until {until} whoever can use it could still pay up to {most} to somebody who hasn't synced since; what such "
        f"a payee brings by its date is honoured, and the rest comes home. From {warned} on his own phone warns him "
        "that nothing he is paid is protected."
    )


def _text(amount: Balance) -> str:
    return f"{format_decimal(amount.amount_minor, amount.currency)} {amount.currency}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B}"
