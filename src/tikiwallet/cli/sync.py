"""Meet the operator: bring what happened offline, take what is needed for the next time.

Everything brought is in the outbox until the operator answered for it, in small portions, so that a lost connection
costs at most one portion and a repetition changes nothing. With the last one come fresh vouchers, the certificate, the
list of blocked phones and a signed time.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tikicash.messages import Opening, key_id
from tikiwallet.cli.answers import (
    Challenge,
    Device,
    Devices,
    Issuer,
    Loading,
    MoneyView,
    OpeningSaid,
    SyncAnswer,
)
from tikiwallet.cli.locked import is_receive_only, remember_audience
from tikiwallet.cli.online import keep_view, learn_currency
from tikiwallet.cli.problems import PhoneBlocked, PhoneRetired, ServerUnexpected
from tikiwallet.cli.server import Online, from_base64url, to_base64url
from tikiwallet.cli.trust import Said, learn, pin_network
from tikiwallet.cli.wallet_folder import Wallet
from tikiwallet.platform.money import Amount

PORTION: Final = 40  # documents in one call; 40 payments of the largest size stay far below the server's body limit
OUTCOMES: Final = {"recorded", "known", "rejected"}
CHALLENGE_TAG: Final = b"TK1/device"

Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A document that the operator doesn't count, and why."""

    payment_id: str  # hex
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a sync did."""

    recorded: int  # documents that the operator hadn't seen
    known: int
    rejected: list[Rejection]
    loaded_minor: int  # offline money that came, in minor units
    loading: Loading | None
    money: MoneyView


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A wish for offline money, and how many minor units of it are on this phone now."""

    loading: Loading
    loaded_minor: int


def sync(online: Online, *, keep: Amount | None, phone_name: str, progress: Progress) -> Synced:
    """Bring the outbox and take what came. `keep` is the offline balance to have afterwards. Safe to repeat.

    Problems: those of `Server.call`, `NetworkChanged`, those of `Wallet.signer`.
    """
    device_id = prepare(online, phone_name=phone_name)
    entries = online.wallet.store.run("outbox")
    recorded = known = 0
    rejected: list[Rejection] = []
    # The empty last portion asks for the offline balance, once everything else has been counted.
    portions = [entries[at : at + PORTION] for at in range(0, len(entries), PORTION)] or [[]]
    answer = None
    for number, portion in enumerate(portions, start=1):
        is_last = number == len(portions)
        progress("Bringing payments", sum(map(len, portions[: number - 1])), len(entries))
        body = _body(device_id, portion, keep=keep, is_last=is_last)
        answer = online.post("/v1/offline/sync", SyncAnswer, body=body)
        outcomes = _settle(online, portion, answer)
        recorded += sum(outcome == "recorded" for outcome, _ in outcomes)
        known += sum(outcome == "known" for outcome, _ in outcomes)
        rejected += [rejection for _, rejection in outcomes if rejection is not None]
    progress("Bringing payments", len(entries), len(entries))
    if answer is None or answer.money is None:
        raise ServerUnexpected
    loaded_minor = learn(online.wallet, said_in(answer))
    for item in answer.vouchers:
        if item.voucher is not None:
            remember_audience(online.wallet, from_base64url(item.voucher), locked_to=item.locked_to)
    _take_word(online.wallet, answer)
    keep_view(online.wallet, answer.money)
    return Synced(
        recorded=recorded, known=known, rejected=rejected, loaded_minor=loaded_minor, loading=answer.loading,
        money=answer.money,
    )  # fmt: skip


def prepare(online: Online, *, phone_name: str) -> str:
    """Learn who signs, give up retired keys, register this phone's key; return the device id. Safe to repeat."""
    online.check_signed_in()  # before anything else: who isn't signed in should hear that, and not of the network
    learn_currency(online)
    issuer = online.server.call("GET", "/v1/offline/issuer", Issuer)
    pin_network(
        online.wallet.store,
        net=issuer.network_id,
        root_key=from_base64url(issuer.root_key),
        operator_key=from_base64url(issuer.operator_key),
    )
    learn(
        online.wallet,
        Said(
            issuer_keys=tuple(from_base64url(item) for item in issuer.issuer_keys),
            signed_time=from_base64url(issuer.signed_time),
        ),
    )
    _tell_retirements(online)
    return _registered(online, phone_name=phone_name)


def load(online: Online, amount: Amount, *, phone_name: str, audience_key: bytes | None = None) -> Loaded:
    """Turn online money into offline money on this phone; return what came of it.

    With `audience_key` (33 bytes) only the phone with that key may be paid with it.
    Problems: those of `Online.moving_money`, `NetworkChanged`, those of `Wallet.signer`.
    """
    device_id = prepare(online, phone_name=phone_name)
    body: dict[str, object] = {"device_id": device_id, "amount": amount}
    if audience_key is not None:
        body["audience_key"] = to_base64url(audience_key)
    fresh_minor: list[int] = []
    loading = online.moving_money(
        "/v1/offline/vouchers", Loading, body=body, keep=lambda said: fresh_minor.append(_take_voucher(online, said))
    )
    return Loaded(loading=loading, loaded_minor=sum(fresh_minor))


def _take_voucher(online: Online, loading: Loading) -> int:
    """Store the voucher of a load; return how many minor units came with it."""
    if loading.voucher is None:
        return 0
    opening = opening_said(loading.openings[0]) if loading.openings else None
    voucher = from_base64url(loading.voucher)
    fresh_minor = learn(online.wallet, Said(vouchers=((voucher, opening),)))
    remember_audience(online.wallet, voucher, locked_to=loading.locked_to)
    return fresh_minor


def devices(online: Online) -> list[Device]:
    """Return my phones. Problems: those of `Server.call`."""
    return online.get("/v1/offline/devices", Devices).items


def retire_device(online: Online, device_id: str) -> Device:
    """Retire a phone of mine: it gets nothing new, and what it holds comes home. Problems: those of `Server.call`."""
    device = online.post(f"/v1/offline/devices/{device_id}/retirement", Device)
    row = online.wallet.key()
    if row is not None and row["device_id"] == device_id:
        online.wallet.retire_key("by its owner")
    for told in online.wallet.store.run("retirements_to_tell"):
        if told["device_id"] == device_id:
            online.wallet.store.run("retirement_told", key_id=told["key_id"], now=online.wallet.edge.now())
    return device


def said_in(answer: SyncAnswer) -> Said:
    """Return the documents of a sync's answer. Problem: `ServerUnexpected`."""
    return Said(
        issuer_keys=tuple(from_base64url(item) for item in answer.issuer_keys),
        signed_time=from_base64url(answer.signed_time) if answer.signed_time else None,
        revocations=from_base64url(answer.revocations) if answer.revocations else None,
        certificate=from_base64url(answer.certificate) if answer.certificate else None,
        certificate_opening=opening_said(answer.certificate_opening),
        vouchers=tuple(
            (from_base64url(item.voucher), opening_said(item.opening))
            for item in answer.vouchers
            if item.voucher is not None and item.state == "open"
        ),
    )


def opening_said(opening: OpeningSaid | None) -> Opening | None:
    """Return an opening of the API as tikicash knows it. Problem: `ServerUnexpected`."""
    if opening is None:
        return None
    return Opening(opens=opening.opens, salt=from_base64url(opening.salt), text=opening.text)


def _body(device_id: str, portion: list[sqlite3.Row], *, keep: Amount | None, is_last: bool) -> dict[str, object]:
    return {
        "device_id": device_id,
        "bundles": [to_base64url(item["body"]) for item in portion if item["kind"] == "bundle"],
        "refusals": [to_base64url(item["body"]) for item in portion if item["kind"] == "refusal"],
        **({"offline_balance_wanted": keep} if is_last else {"more_follows": True}),
    }


def _settle(
    online: Online, portion: list[sqlite3.Row], answer: SyncAnswer
) -> list[tuple[str, Rejection | None]]:  # fmt: skip
    """Note what became of each document brought. Problem: `ServerUnexpected` for an answer that doesn't fit."""
    sent = {kind: [item for item in portion if item["kind"] == kind] for kind in ("bundle", "refusal")}
    outcomes: list[tuple[str, Rejection | None]] = []
    with online.wallet.store.transaction():
        for result in answer.results:
            in_range = 0 <= result.index < len(sent.get(result.kind, []))
            if not in_range or result.outcome not in OUTCOMES:
                raise ServerUnexpected
            entry = sent[result.kind][result.index]
            detail = f"{result.code}: {result.detail}" if result.code else result.detail
            online.wallet.store.run(
                "settle_outbox", entry_id=entry["entry_id"], outcome=result.outcome, detail=detail
            )  # fmt: skip
            rejection = None
            if result.outcome == "rejected":
                rejection = Rejection(
                    payment_id=entry["payment_id"].hex(), code=result.code or "rejected", detail=result.detail
                )
            outcomes.append((result.outcome, rejection))
    return outcomes


def _take_word(wallet: Wallet, answer: SyncAnswer) -> None:
    """Leave a notice if this phone is blocked; give its key up if its owner retired it elsewhere.

    A key that is blocked by a proof is kept: what it holds can still be handed back.
    """
    if answer.code == "device_retired":
        wallet.retire_key("by its owner")
        wallet.notices.append(PhoneRetired())
    elif answer.code == "device_blocked":
        wallet.notices.append(PhoneBlocked())


def _tell_retirements(online: Online) -> None:
    """Say which keys this wallet gave up, so that nothing new is signed for them."""
    for row in online.wallet.store.run("retirements_to_tell"):
        online.post(f"/v1/offline/devices/{row['device_id']}/retirement", Device)
        online.wallet.store.run("retirement_told", key_id=row["key_id"], now=online.wallet.edge.now())


def _registered(online: Online, *, phone_name: str) -> str:
    """Return the device id of the key in use; register the key first if it has none."""
    signer = online.wallet.signer()
    row = online.wallet.key()
    assert row is not None
    if row["device_id"]:
        return str(row["device_id"])
    challenge = online.post("/v1/offline/devices/challenges", Challenge)
    signature = signer.sign(CHALLENGE_TAG + from_base64url(challenge.challenge) + signer.public_key)
    body = {
        "challenge_id": challenge.challenge_id,
        "public_key": to_base64url(signer.public_key),
        "signature": to_base64url(signature),
        "name": phone_name,
        "receive_only": is_receive_only(online.wallet),
    }
    device = online.post("/v1/offline/devices", Device, body=body)
    online.wallet.store.run("set_device", key_id=key_id(signer.public_key), device_id=device.device_id)
    if device.certificate is not None:
        opening = opening_said(device.certificate_opening)
        learn(online.wallet, Said(certificate=from_base64url(device.certificate), certificate_opening=opening))
    return device.device_id
