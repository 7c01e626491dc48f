"""Proofs of double spends: checked with nothing but the operator's root key, and made from what is on this phone.

A payee who is cheated holds both chains, and together they convince anybody. So the phone makes the proof itself, with
no network, and whoever is shown one checks it without an account. Rule: protocol/spec/04-settlement.md.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tikicash import units
from tikicash.chain import is_voucher, opened
from tikicash.cose import KEY_BYTES, check_point
from tikicash.errors import Rejected
from tikicash.messages import OPENS_NAME, Bundle, Message, Proof, parse, to_code
from tikicash.settlement import DoubleSpend, double_spends, make_proof, verify_proof
from tikicash.validity import check_chain
from tikiwallet.cli import codes
from tikiwallet.cli.local import ID_PREFIX_MIN
from tikiwallet.cli.paying import HAND_BACK_LIMITS
from tikiwallet.cli.problems import NeverOnline, NothingStored, ProtocolSaidNo, WrongKindOfCode
from tikiwallet.cli.problems_of_copies import NothingProved, RootKeyInvalid
from tikiwallet.cli.trust import issuer_documents, read_trust
from tikiwallet.cli.wallet_folder import Wallet
from tikiwallet.platform.money import letter_code

ROOT_KEY_DIGITS: Final = 2 * KEY_BYTES
ROOT_KEY_FILE_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """One of the two payments of a proof."""

    payment_id: str  # hex
    payee_id: str  # hex: whom it paid
    amount_minor: int
    paid_at: int  # unix seconds, as its signer says


@dataclass(frozen=True, slots=True, kw_only=True)
class Convincing:
    """A double spend that is proved to anybody who has the root key."""

    key_id: str  # hex: the phone that signed both payments
    name: str  # whose phone it is, as the operator certified it to this wallet; "" if it doesn't know
    amount_minor: int  # how many minor units were spent twice
    currency: str
    network_id: int
    payments: list[Proved]
    issued_at: int  # when the operator issued that money, unix seconds
    code: str
    picture: str | None = None


def read_root_key(given: str) -> bytes:
    """Return a root key from its hex digits or from a file that holds them. Problem: `RootKeyInvalid`."""
    text = given
    if len(given) != ROOT_KEY_DIGITS:
        try:
            with Path(given).open(encoding="ascii") as file:
                text = file.read(ROOT_KEY_FILE_MAX)
        except (OSError, ValueError) as error:
            raise RootKeyInvalid from error
    try:
        return check_point(bytes.fromhex(text.strip()))
    except (ValueError, Rejected) as error:
        raise RootKeyInvalid from error


def pinned_root_key(wallet: Wallet) -> bytes:
    """Return the root key that this wallet trusts. Problem: `NeverOnline`."""
    root_key = wallet.store.setting("root_key")
    if not root_key:
        raise NeverOnline
    return bytes.fromhex(root_key)


def verify(message: Message, *, root_key: bytes) -> Convincing:
    """Return what a proof shows. Problems: `WrongKindOfCode`, `ProtocolSaidNo` with the code that says why not."""
    if not isinstance(message, Proof):
        raise WrongKindOfCode(f"{WrongKindOfCode.sentence()} Give the code of a proof.")
    try:
        return _convincing(message, verify_proof(message, root_key=root_key))
    except Rejected as rejected:
        raise ProtocolSaidNo(rejected, headline="NOT PROVED") from rejected


def named(wallet: Wallet, found: Convincing) -> Convincing:
    """Return a double spend with the name of the phone's owner, if one of its payments was shown to this wallet."""
    wanted = {bytes.fromhex(item.payment_id) for item in found.payments}
    names = [
        opened(bundle.openings, OPENS_NAME)
        for bundle in _verified(wallet, [item for item in _bundles(wallet) if item.documents[-1].short_id in wanted])
    ]
    return replace(found, name=next((name for name in names if name), ""))


def made(wallet: Wallet, wanted: str) -> list[Convincing]:
    """Return a proof of every double spend that the payments on this phone show, or of those that one payment meets.

    `wanted` is the start of a payment's id, or "" for all. Problems: `NeverOnline`, `NothingStored`, `NothingProved`.
    """
    trust, root_key = read_trust(wallet.store), pinned_root_key(wallet)
    bundles = _bundles(wallet)
    if wanted:
        asked = [item for item in bundles if item.documents[-1].short_id.hex().startswith(wanted.lower())]
        if len({item.documents[-1].id for item in asked}) != 1 or len(wanted) < ID_PREFIX_MIN:
            raise NothingStored
        money = _vouchers(asked[0])
        bundles = [item for item in bundles if _vouchers(item) & money]
    # Money that only one bundle speaks of was spent once, as far as this phone knows.
    often = {voucher for voucher, times in Counter(v for item in bundles for v in _vouchers(item)).items() if times > 1}
    bundles = _verified(wallet, [item for item in bundles if _vouchers(item) & often])
    documents = {item.id: item for bundle in bundles for item in bundle.documents}
    found = []
    for spend in double_spends(documents.values(), operator=trust.operator):
        proof = make_proof(*spend.payments, chains=bundles, issuer_keys=issuer_documents(wallet.store))
        proved = _convincing(proof, verify_proof(proof, root_key=root_key))
        if not wanted or any(item.id in {doc.id for doc in asked[0].documents} for item in spend.payments):
            found.append(named(wallet, proved))
    if not found:
        raise NothingProved
    return found


def write_pictures(found: Iterable[Convincing], folder: Path) -> list[Convincing]:
    """Write a picture of each proof that fits one, and return them with their files.

    Problems: those of `codes.write_pictures`.
    """
    named = {f"proof-{number}-{item.key_id[:16]}": item for number, item in enumerate(found, start=1)}
    files = codes.write_pictures({name: item.code for name, item in named.items()}, folder)
    return [replace(item, picture=files.get(name)) for name, item in named.items()]


def _convincing(proof: Proof, spend: DoubleSpend) -> Convincing:
    vouchers = [item.body for item in proof.documents if is_voucher(item)]
    spent = [
        voucher for voucher in vouchers
        if any(units.contains((voucher.first, voucher.count), part) for part in spend.units)
    ]  # fmt: skip
    return Convincing(
        key_id=spend.key_id.hex(),
        name="",
        amount_minor=spend.count,
        currency=_currency(vouchers[0].currency),
        network_id=vouchers[0].net,
        payments=[
            Proved(
                payment_id=item.short_id.hex(), payee_id=item.body.payee_id.hex(), amount_minor=item.body.total,
                paid_at=item.body.paid_at,
            )
            for item in spend.payments
        ],
        issued_at=min(voucher.issued_at for voucher in spent),
        code=to_code(proof),
    )  # fmt: skip


def _currency(number: int) -> str:
    """Return the letters of a currency, or its number in the unlikely case that nobody knows it."""
    try:
        return letter_code(number)
    except ValueError:
        return f"{number:03}"


def _bundles(wallet: Wallet) -> list[Bundle]:
    """Return every payment that this wallet has, made, received, refused with reason or carried for somebody."""
    found = [parse(row["body"]) for row in wallet.store.run("outbox_all") if row["kind"] == "bundle"]
    return [item for item in found if isinstance(item, Bundle)]


def _vouchers(bundle: Bundle) -> set[bytes]:
    return {item.id for item in bundle.documents if is_voucher(item)}


def _verified(wallet: Wallet, bundles: Iterable[Bundle]) -> list[Bundle]:
    """Return those whose signatures all hold: what was carried for somebody was never judged here."""
    trust = read_trust(wallet.store)
    good = []
    for bundle in bundles:
        try:
            check_chain(bundle, net=trust.net, issuer_keys=trust.issuer_keys, limits=HAND_BACK_LIMITS)
        except Rejected:
            continue
        good.append(bundle)
    return good
