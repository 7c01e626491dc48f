"""Claims: payments that somebody brings, appended to a set.

The goods are handed over already, so a payment that holds is never refused, whoever brings it, however often and
however late it comes; what it is worth is decided at the close, from the whole set. A claim that could be refused for
arriving second would let a cheat's accomplice win by syncing first.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from tikicash.chain import LIMITS, Chain, Limits, is_payment, operator_ids, payer_id, traces
from tikicash.cose import verify_signature
from tikicash.direct import check_direct
from tikicash.errors import SENTENCES, Rejected
from tikicash.messages import Bundle, IssuerKey, Payment, Refusal, Signed, key_id, parse, signed
from tikicash.rules import verify_refusal
from tikicash.validity import check_chain
from tikiwallet.identity.types import PersonId
from tikiwallet.offline.certificates import save_certificates
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.types import VoucherId
from tikiwallet.platform.connections import Connections
from tikiwallet.platform.db import Connection, Database, as_array
from tikiwallet.platform.turns import in_turns

JUDGING_AT_ONCE: Final = 2  # one judges while the other asks the database
# A hand-back adds one document to what a code may carry; it never travels as a code, so that it may be larger.
HAND_BACK_LIMITS: Final = replace(LIMITS, documents_max=24, signatures_max=36, bytes_max=2 * LIMITS.bytes_max)

CLAIMS_ARE_PLAIN: Final = "claims_are_plain"  # migration 0011

# The id of what is kept here to the key id that signed it; None: one of the operator's keys, which its number tells.
Known = dict[bytes, bytes | None]
# The document's id of an opened voucher to its own and to when the time for claims ends.
Locked = dict[bytes, tuple[VoucherId, datetime]]

# Codes of the server's own, beside those of tikicash.
OWN_SENTENCES: Final = {
    "not_base64url": "This isn't base64url without padding, so nothing could be read.",
    "voucher_unknown": "The operator has no record of this offline money; keep the code and talk to the operator.",
    "payment_unknown": "Bring the payment that you refuse together with the refusal.",
    "payee_unregistered": "The phone that refuses isn't registered; register it first.",
    "not_a_refusal": "This isn't a signed refusal of a payment.",
}


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle after all its signatures were checked: a chain that holds, or the code that says why not."""

    chain: Chain | None
    payment_id: bytes | None  # 32 bytes, where the bundle could be read
    code: str | None
    detail: str


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the good chains of a sync."""

    new_ids: frozenset[bytes]  # of payments that nobody had brought before
    unknown: frozenset[bytes]  # of payments on vouchers that the operator never opened
    late: dict[bytes, datetime]  # of payments that came after the date by which they had to
    voucher_ids: tuple[VoucherId, ...]  # of those that the transaction of the caller has locked
    contested_ids: tuple[VoucherId, ...]  # of those that new payments touch and of which a unit was paid on or twice


NOTHING_APPENDED: Final = Appended(new_ids=frozenset(), unknown=frozenset(), late={}, voucher_ids=(), contested_ids=())


def sentence_of(code: str) -> str:
    """Return what to tell the person whose document met with `code`."""
    return OWN_SENTENCES.get(code) or SENTENCES[code]


class Claims:
    """Judges and appends what people bring."""

    def __init__(self, db: Database, *, issuer: Issuer) -> None:
        self._db = db
        self._issuer = issuer
        self._judging = asyncio.Semaphore(JUDGING_AT_ONCE)

    async def judge(self, bundles: Sequence[bytes | None]) -> list[Judged]:
        """Return a verdict for each bundle, having changed nothing. None stands for what wasn't base64url.

        A signature that was verified when its payment was recorded isn't verified again, and none of the operator's own
        on what the operator's books hold.
        """
        if not bundles:
            return []
        async with self._judging:
            readable = await in_turns(_read, bundles)
            known = await self._signers(found for found in readable if isinstance(found, Bundle))
            issuer_keys = self._issuer.issuer_keys  # looked up once: the folder is looked at each time
            operator = operator_ids(issuer_keys)
            verify = _remembering(known, operator=operator)
            return await in_turns(lambda item: self._judge(item, issuer_keys, operator, verify), readable)

    async def _signers(self, bundles: Iterable[Bundle]) -> Known:
        """Return who signed those documents of some bundles that are kept here."""
        payments, vouchers, certificates = set[bytes](), set[bytes](), set[bytes]()
        for bundle in bundles:
            for item in bundle.documents:
                (payments if is_payment(item) else vouchers).add(item.id)
            certificates.update(item.id for item in bundle.certificates)
        rows = await self._db.pool.fetch(
            SQL["signers_of"], as_array(payments), as_array(vouchers), as_array(certificates)
        )
        return dict(rows)

    def _judge(
        self, readable: Bundle | Rejected | str, issuer_keys: tuple[IssuerKey, ...], operator: frozenset[bytes],
        verify: Callable[[bytes, bytes, bytes], bool],
    ) -> Judged:  # fmt: skip
        if isinstance(readable, str):
            return Judged(chain=None, payment_id=None, code=readable, detail=sentence_of(readable))
        if isinstance(readable, Rejected):
            return Judged(chain=None, payment_id=None, code=readable.code, detail=readable.sentence)
        last = readable.documents[-1] if readable.documents else None
        payment_id = last.id if last is not None and is_payment(last) else None
        net, limits = self._issuer.net, _limits_for(last, operator=operator)
        try:
            chain = check_direct(
                readable, net=net, issuer_keys=issuer_keys, operator=operator, limits=limits, verify=verify
            ) or check_chain(readable, net=net, issuer_keys=issuer_keys, limits=limits, verify=verify)
        except Rejected as rejected:
            return Judged(chain=None, payment_id=payment_id, code=rejected.code, detail=rejected.sentence)
        return Judged(chain=chain, payment_id=payment_id, code=None, detail="")

    async def append_plain(self, chains: Sequence[Chain], person_id: PersonId) -> Appended | None:
        """Append what nobody else may have a claim to, as a transaction of its own; None: do it by `append`.

        That is payments straight from vouchers of which no unit was paid on or twice, nor is by these: nobody has to
        look for double spends then. The caller knows that they release nothing.
        """
        if any(len(chain.payments) > 1 or chain.certificates for chain in chains):
            return None
        try:
            columns, _ = _columns(chains)
            row = await self._db.pool.fetchrow(SQL["append_plain_claims"], person_id, *columns)
        except asyncpg.CheckViolationError as error:
            if error.constraint_name == CLAIMS_ARE_PLAIN:
                return None
            raise
        if row["new_ids"] is None:
            return None
        late = await _late(self._db.pool, chains) if row["claims_until"] < row["known_at"] else {}
        return Appended(
            new_ids=frozenset(row["new_ids"]), unknown=frozenset(), late=late, voucher_ids=(), contested_ids=()
        )

    async def append(
        self, tx: Connection, chains: Sequence[Chain], refusals: Sequence[bytes | None], person_id: PersonId
    ) -> Appended:
        """Append every payment of some valid chains to the set; who brings them is noted apart.

        `refusals` are appended after it, by `append_refusal`; the vouchers that they touch are locked here already.

        Vouchers stay locked until the transaction ends, so that two people who bring two halves of a double spend at
        the same moment can't both miss it.
        """
        vouchers = await self._lock_vouchers(tx, chains, refusals)
        unknown = {chain.payment.id for chain in chains if any(item.id not in vouchers for item in chain.vouchers)}
        good = [chain for chain in chains if chain.payment.id not in unknown]
        await save_certificates(tx, {item.id: item for chain in good for item in chain.certificates}.values())
        columns, document_ids = _columns(good)
        voucher_ids_of_pieces = as_array([vouchers[document_id][0] for document_id in document_ids])
        row = await tx.fetchrow(SQL["append_claims"], person_id, *columns, voucher_ids_of_pieces)
        is_late = any(claim_until < row["known_at"] for _, claim_until in vouchers.values())
        late = await _late(tx, good) if is_late else {}
        voucher_ids = tuple(voucher_id for voucher_id, _ in vouchers.values())
        return Appended(
            new_ids=frozenset(row["new_ids"]), unknown=frozenset(unknown), late=late, voucher_ids=voucher_ids,
            contested_ids=tuple(row["contested_ids"]),
        )  # fmt: skip

    async def _lock_vouchers(self, tx: Connection, chains: Sequence[Chain], refusals: Sequence[bytes | None]) -> Locked:
        ids = {item.id for chain in chains for item in chain.vouchers}
        read = [_read_refusal(data) for data in refusals]
        if refused := {item.body.payment_id for item in read if isinstance(item, Signed)}:
            ids.update(row["document_id"] for row in await tx.fetch(SQL["vouchers_of_refused"], list(refused)))
        rows = await tx.fetch(SQL["lock_opened_vouchers"], as_array(ids))
        return {document_id: (voucher_id, claim_until) for document_id, voucher_id, claim_until in rows}

    async def append_refusal(self, tx: Connection, data: bytes | None) -> tuple[str, bytes | None, bool]:
        """Append a payee's refusal of a payment that is known. Returns (code or "", payment id, whether it is new)."""
        refusal = _read_refusal(data)
        if isinstance(refusal, str):
            return refusal, None, False
        rows = await tx.fetch(SQL["payments_by_short_id"], refusal.body.payment_id)
        if not rows:
            return "payment_unknown", None, False
        codes = set()
        for row in rows:  # a cheat could make two payments with one short id; the refuser's signature tells which
            if row["public_key"] is None:
                codes.add("payee_unregistered")
                continue
            payment: Signed[Payment] = signed(row["payload"], row["signature"])
            try:
                verify_refusal(refusal, payment=payment, payee_key=row["public_key"])
            except Rejected as rejected:
                codes.add(rejected.code)
                continue
            inserted = await tx.fetchval(
                SQL["insert_refusal"], refusal.id, payment.id, row["payee_key_id"], refusal.payload, refusal.signature
            )
            return "", payment.id, inserted is not None
        return min(codes), rows[0]["document_id"], False


async def _late(connection: Connection | Connections, chains: Sequence[Chain]) -> dict[bytes, datetime]:
    """Return which payments came after the date by which they had to, and that date."""
    rows = await connection.fetch(SQL["late_payments"], [chain.payment.id for chain in chains])
    return {row["document_id"]: row["claim_until"] for row in rows}


def _limits_for(last: Signed[Any] | None, *, operator: frozenset[bytes]) -> Limits:
    is_hand_back = last is not None and is_payment(last) and last.body.payee_id in operator
    return HAND_BACK_LIMITS if is_hand_back else LIMITS


def _read(data: bytes | None) -> Bundle | Rejected | str:
    if data is None:
        return "not_base64url"
    if len(data) > HAND_BACK_LIMITS.bytes_max:
        return Rejected("bundle_too_large", f"{len(data)} bytes")  # not even read: a sync may be one such bundle
    try:
        message = parse(data)
    except Rejected as rejected:
        return rejected
    return message if isinstance(message, Bundle) else "not_a_payment"


def _read_refusal(data: bytes | None) -> Signed[Refusal] | str:
    if data is None:
        return "not_base64url"
    try:
        message = parse(data)
    except Rejected as rejected:
        return rejected.code
    if not isinstance(message, Signed) or not isinstance(message.body, Refusal):
        return "not_a_refusal"
    return message


def _remembering(known: Known, *, operator: frozenset[bytes]) -> Callable[[bytes, bytes, bytes], bool]:
    """Return a verifier that judges each signature once, and none of a document that is kept here.

    A document is named by what was signed, so that the message of a recorded payment is one that its payer signed; the
    key must be the same too, or a forged parent could pass somebody's payment off as somebody else's. Of a payment that
    isn't recorded yet the signature itself must hold: it is what will be kept. What the operator signed says which of
    its keys did.
    """
    verdicts: dict[tuple[bytes, bytes, bytes], bool] = {}

    def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
        digest = hashlib.sha256(message).digest()
        if digest in known:
            signer_id, signed_by = key_id(public_key), known[digest]
            if signer_id in operator if signed_by is None else signer_id == signed_by:
                return True
        subject = (public_key, digest, signature)
        if subject not in verdicts:
            verdicts[subject] = verify_signature(public_key, message, signature)
        return verdicts[subject]

    return verify


def _columns(chains: Sequence[Chain]) -> tuple[tuple[bytes | str, ...], list[bytes]]:
    """Return the payments of some chains and their pieces as the database appends them, and each piece's voucher.

    A voucher is named by its document's id. In the order of ids, so that two syncs can't wait for each other.
    """
    brought = {chain.payment.id for chain in chains}  # the others came only as a part of these
    by_id = {item.id: (item, chain) for chain in chains for item in chain.payments}
    payments = [by_id[document_id] for document_id in sorted(by_id)]
    pieces: list[tuple[int, int, bytes, int, int]] = []
    document_ids: list[bytes] = []  # of vouchers
    for place, (payment, chain) in enumerate(payments, 1):
        ways = traces(payment, chain.sources)
        for number, (piece, way) in enumerate(zip(payment.body.pieces, ways, strict=True), 1):
            parent = chain.sources[piece.parent_id]
            pieces.append((place, number, parent.id, piece.first, piece.first + piece.count))
            document_ids.append(way.voucher.id)
    places, numbers, parent_ids, firsts, pasts = zip(*pieces, strict=True) if pieces else [()] * 5
    found = [payment for payment, _ in payments]
    columns = (
        b"".join([item.id for item in found]),
        as_array([item.payload for item in found]),
        b"".join([item.signature for item in found]),
        b"".join([payer_id(item, chain.sources) for item, chain in payments]),
        b"".join([item.body.payee_id for item in found]),
        as_array([item.body.currency for item in found]),
        as_array([item.body.total for item in found]),
        as_array([item.id in brought for item in found]),
        as_array(places), as_array(numbers), b"".join(parent_ids), as_array(firsts), as_array(pasts),
    )  # fmt: skip
    return columns, document_ids
