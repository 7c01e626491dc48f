"""Copies of payments: written out for anybody to carry, and read in to be carried to the operator.

A payment counts if any copy of it arrives by its date, so a phone that can't go online can hand its copies to somebody
who can. Whoever carries one gets nothing by it and can do no harm with it: a payment is locked to its payee's key, and
names and notes stay at home. What is useless to the operator (requests, receipts, proofs) isn't carried. The format of
a file is in docs/cli.md.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from tikicash.chain import LIMITS, read_chain
from tikicash.encoding import PREFIX
from tikicash.errors import Rejected
from tikicash.messages import Bundle, Message, Payment, Receipt, Refusal, Request, Signed, parse, to_code
from tikicash.validity import check_network
from tikiwallet.cli import codes
from tikiwallet.cli.local import ID_PREFIX_MIN
from tikiwallet.cli.paying import HAND_BACK_LIMITS
from tikiwallet.cli.problems import NothingStored, Problem, ProtocolSaidNo, WrongKindOfCode
from tikiwallet.cli.problems_of_copies import FileUnwritable
from tikiwallet.cli.trust import Trust, read_trust
from tikiwallet.cli.wallet_folder import Wallet

KIND_NAMES: Final = {"bundle": "payment", "refusal": "refusal"}  # in the outbox, and as people say
ENDS_OF_LINES: Final = re.compile("\r\n|\r|\n")
NOT_CARRIED: Final[dict[type, str]] = {
    Request: "This is a request: nothing was paid yet. The payer runs `tiki offline pay` with it.",
    Receipt: "This is a receipt: the operator needs the payment itself. The payer runs `tiki offline accept` with it.",
}
HEADER: Final = (
    "# TikiWallet: copies of payments for the operator, one code a line.\n"
    "# Anybody who is signed in can bring them: tiki import FILE. They are worth nothing to whoever carries them.\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A payment or a refusal as somebody else can carry it."""

    payment_id: str  # hex
    kind: str  # "payment" or "refusal"
    code: str
    picture: str | None = None  # the file with its picture, if there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Text that may be a code, and where it stood."""

    source: str
    line: int  # from 1; the number of the code in a picture
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What became of one code. A courier isn't told whose money it is or how much."""

    source: str
    line: int
    kind: str  # "payment", "refusal", or "" if it is neither
    payment_id: str  # hex; "" if it is neither
    outcome: str  # "waiting" (stored here), "recorded", "known" or "rejected"
    code: str  # why it was rejected
    detail: str


Read = tuple[Carried, bytes]  # what became of a code, and the bytes that the operator gets


def copies(wallet: Wallet, wanted: Sequence[str]) -> list[Copy]:
    """Return copies of what the operator hasn't seen yet, or of the payments whose ids begin so, seen or not.

    Problem: `NothingStored`.
    """
    rows = wallet.store.run("outbox_all" if wanted else "outbox")
    known = {row["payment_id"].hex() for row in rows}
    chosen = {_find(known, item.lower()) for item in wanted} if wanted else known
    return [
        Copy(payment_id=row["payment_id"].hex(), kind=KIND_NAMES[row["kind"]], code=_without_names(parse(row["body"])))
        for row in rows
        if row["payment_id"].hex() in chosen
    ]


def _find(known: set[str], wanted: str) -> str:
    found = [item for item in known if item.startswith(wanted)]
    if len(found) != 1 or len(wanted) < ID_PREFIX_MIN:
        raise NothingStored
    return found[0]


def _without_names(message: Message) -> str:
    """Return a code without the openings of names and notes: the operator doesn't need them, a courier even less."""
    return to_code(replace(message, openings=()) if isinstance(message, Bundle) else message)


def file_text(found: Iterable[Copy]) -> str:
    """Return a file of copies."""
    return HEADER + "".join(f"{item.code}\n" for item in found)


def write_file(found: Iterable[Copy], path: Path) -> None:
    """Write a file of copies. Problem: `FileUnwritable`."""
    try:
        path.write_text(file_text(found), "ascii", newline="\n")
    except OSError as error:
        raise FileUnwritable from error


def write_pictures(found: Iterable[Copy], folder: Path) -> list[Copy]:
    """Write a picture of each copy that fits one (a wide hand-back doesn't), and return them with their files.

    Problems: those of `codes.write_pictures`.
    """
    # Numbered, because there may be several copies of one payment.
    named = {f"{number}-{item.kind}-{item.payment_id[:16]}": item for number, item in enumerate(found, start=1)}
    files = codes.write_pictures({name: item.code for name, item in named.items()}, folder)
    return [replace(item, picture=files.get(name)) for name, item in named.items()]


def read_sources(given: Iterable[str], stdin: BinaryIO) -> list[Found]:
    """Return everything that may be a code: codes as they are, and the lines of files and the codes of pictures.

    Empty lines and those that begin with # are passed over. Problems: those of `codes.read_file`, `NoCodeInPicture`.
    """
    return [item for source in given for item in _read_source(source, stdin)]


def _read_source(given: str, stdin: BinaryIO) -> Iterable[Found]:
    if given.startswith(PREFIX):
        yield Found(source="", line=1, text=given)
        return
    content = codes.read_file(given, stdin)
    if content.startswith(codes.PICTURE_STARTS):
        texts = codes.read_picture(content)
    else:
        texts = ENDS_OF_LINES.split(codes.read_text(content))
    for number, text in enumerate(texts, start=1):
        if text.strip() and not text.lstrip().startswith("#"):
            yield Found(source=given, line=number, text=text)


def carry(wallet: Wallet, found: Iterable[Found]) -> list[Read]:
    """Store what the operator may count, durably and at once, to be brought with the next sync; say why not the rest.

    The same document twice is stored once. Signatures aren't judged here: the operator does that, and a copy that
    somebody spoiled is a rejected one and never takes the place of a good one. Problem: `NeverOnline`.
    """
    trust = read_trust(wallet.store)
    by_text = {item.text.strip(): item for item in reversed(list(found))}
    read = [_read(item, trust) for item in sorted(by_text.values(), key=lambda item: (item.source, item.line))]
    with wallet.store.transaction():
        return [(_keep(wallet, item, body) if item.outcome == "waiting" else item, body) for item, body in read]


def _keep(wallet: Wallet, item: Carried, body: bytes) -> Carried:
    """Store one document; what this wallet brought before is known, and what was rejected then is tried again."""
    wallet.store.run("add_to_outbox", **_entry(item), body=body)
    wallet.store.run("reopen_outbox", **_entry(item), body=body)
    row = wallet.store.row("outbox_outcome", **_entry(item), body=body)
    assert row is not None
    return item if row["outcome"] is None else replace(item, outcome="known")


def _entry(item: Carried) -> dict[str, object]:
    kind = next(kind for kind, name in KIND_NAMES.items() if name == item.kind)
    return {"payment_id": bytes.fromhex(item.payment_id), "kind": kind}


def _read(item: Found, trust: Trust) -> Read:
    try:
        message = codes.parse_any(item.text)
        kind, payment_id = _check(message, trust)
    except Problem as problem:
        rejected = Carried(
            source=item.source, line=item.line, kind="", payment_id="", outcome="rejected", code=problem.code,
            detail=problem.detail,
        )  # fmt: skip
        return rejected, b""
    carried = Carried(
        source=item.source, line=item.line, kind=kind, payment_id=payment_id.hex(), outcome="waiting", code="",
        detail="",
    )  # fmt: skip
    return carried, message.to_bytes()


def _check(message: Message, trust: Trust) -> tuple[str, bytes]:
    """Return what a message is and the id of its payment, if the operator of this wallet may count it.

    Problems: `WrongKindOfCode`, `ProtocolSaidNo` with the codes of read_chain, then wrong_network, wrong_currency.
    """
    if isinstance(message, Signed) and isinstance(message.body, Refusal):
        return "refusal", message.body.payment_id
    last = message.documents[-1] if isinstance(message, Bundle) and message.documents else None
    if not isinstance(message, Bundle) or last is None or not isinstance(last.body, Payment):
        body = last.body if last is not None else getattr(message, "body", message)
        raise WrongKindOfCode(NOT_CARRIED.get(type(body), f"{WrongKindOfCode.sentence()} Bring payments and refusals."))
    is_hand_back = last.body.payee_id in trust.operator
    try:
        limits = HAND_BACK_LIMITS if is_hand_back else LIMITS
        chain = read_chain(message, limits=limits, operator=trust.operator)
        check_network(chain, net=trust.net, currency=trust.currency_number)
    except Rejected as rejected:
        raise ProtocolSaidNo(rejected) from rejected
    return "payment", chain.payment.short_id


def outcomes(wallet: Wallet, read: Iterable[Read]) -> list[Carried]:
    """Return what the operator said about what was stored, beside what wasn't."""
    return [_outcome(wallet, item, body) if item.outcome == "waiting" else item for item, body in read]


def _outcome(wallet: Wallet, item: Carried, body: bytes) -> Carried:
    row = wallet.store.row("outbox_outcome", **_entry(item), body=body)
    if row is None or row["outcome"] is None:
        return item
    code, _, detail = row["detail"].partition(": ") if row["outcome"] == "rejected" else ("", "", row["detail"])
    return replace(item, outcome=row["outcome"], code=code, detail=detail)
