"""Double spends: found when the second half arrives, kept with a proof that anybody can check.

The payments stay claims like any other; what changes is that the phone is named on the list that every phone carries
and that its owner can load nothing new. Nobody is named without a proof that stands by itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from tikicash.chain import Source, is_payment, payer_id
from tikicash.messages import Bundle, Certificate, Payment, Proof, Signed, key_id, parse, signed
from tikicash.settlement import DoubleSpend, double_spends, make_proof, verify_proof
from tikiwallet.identity.types import PersonId
from tikiwallet.offline.documents import read_certificates, to_open_voucher
from tikiwallet.offline.issuer import Issuer
from tikiwallet.offline.queries import SQL
from tikiwallet.offline.revocations import revoke
from tikiwallet.offline.types import BlockReason, VoucherId
from tikiwallet.platform.db import Connection, Database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A double spend as the operator sees it: whose phone, which money, and the proof that anybody can check."""

    person_id: PersonId
    device_name: str
    spend: DoubleSpend
    proof: Proof
    found_at: datetime
    is_notice: bool  # it cost nobody else, and the person may load again (notices.py)


async def found_double_spends(db: Database, *, issuer: Issuer) -> list[Found]:
    """Return every double spend that was found, oldest first, each proof checked again as a stranger would."""
    found = []
    for row in await db.pool.fetch(SQL["all_proofs"]):
        proof = parse(row["document"])
        assert isinstance(proof, Proof)
        found.append(
            Found(
                person_id=PersonId(row["person_id"]),
                device_name=row["device_name"],
                spend=verify_proof(proof, root_key=issuer.root_key),
                proof=proof,
                found_at=row["recorded_at"],
                is_notice=row["is_notice"],
            )
        )
    return found


async def find_double_spends(
    tx: Connection, new_ids: Iterable[bytes], contested: Iterable[VoucherId], *, issuer: Issuer
) -> int:
    """Store a proof for every double spend that some newly appended payments show. Returns how many are new.

    `contested` are those of the touched vouchers on which there may be one; the caller has locked them.
    """
    rows = await tx.fetch(SQL["vouchers_in_conflict"], list(new_ids), list(contested))
    if not rows:
        return 0
    voucher_ids = [row["voucher_id"] for row in rows]
    payments = [
        signed(row["payload"], row["signature"]) for row in await tx.fetch(SQL["all_payments_touching"], voucher_ids)
    ]
    voucher_rows = await tx.fetch(SQL["vouchers_below"], voucher_ids, [item.id for item in payments])
    documents = (*(to_open_voucher(row).document for row in voucher_rows), *payments)
    spends = double_spends(documents, operator=issuer.operator_ids)
    known_rows = await tx.fetch(SQL["known_proofs"], [item.id for spend in spends for item in spend.payments])
    known = {(row["first_id"], row["second_id"]) for row in known_rows}
    fresh = [spend for spend in spends if tuple(sorted(item.id for item in spend.payments)) not in known]
    sources = {item.short_id: item for item in documents}
    proved = [_with_below(spend.payments, sources) for spend in fresh]
    payers = {payer_id(item, sources) for below in proved for item in below if is_payment(item)}
    certificates: dict[bytes, list[Signed[Certificate]]] = defaultdict(list)
    for certificate in await read_certificates(tx, sorted(payers)):
        certificates[key_id(certificate.body.key)].append(certificate)
    for spend, below in zip(fresh, proved, strict=True):
        signers = {payer_id(item, sources) for item in below if is_payment(item)}
        chain = Bundle(
            documents=below, certificates=tuple(item for key in sorted(signers) for item in certificates[key])
        )
        await _store(tx, spend, chain, issuer=issuer)
    return len(fresh)


def _with_below(payments: Iterable[Signed[Payment]], sources: Mapping[bytes, Source]) -> tuple[Source, ...]:
    """Return payments and what is below them, of a voucher that thousands may have been paid from."""
    found: dict[bytes, Source] = {}
    waiting: list[Source] = list(payments)
    while waiting:
        item = waiting.pop()
        found[item.id] = item
        if is_payment(item):
            waiting += [sources[piece.parent_id] for piece in item.body.pieces]
    return tuple(found.values())


async def _store(tx: Connection, spend: DoubleSpend, chain: Bundle, *, issuer: Issuer) -> None:
    """Store the proof of one double spend, checked as a stranger would, and revoke the key."""
    first, second = sorted(spend.payments, key=lambda item: item.id)
    proof = make_proof(first, second, chains=[chain], issuer_keys=issuer.documents)
    assert verify_proof(proof, root_key=issuer.root_key).key_id == spend.key_id
    await tx.execute(SQL["insert_proof"], first.id, second.id, spend.key_id, proof.to_bytes())
    await revoke(tx, spend.key_id, reason=BlockReason.SPENT_TWICE)
    log.warning("double spend found", key=spend.key_id.hex(), amount_minor=spend.count)
