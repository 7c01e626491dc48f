"""What the operator and anybody else can tell from a set of payments: who signed one unit twice, and a proof of it.

A double spend is evidence and not an error: the payments are valid, and the goods are gone. What matters is to name the
phone that did it and never one that retried, refunded or handed back. The set decides, so arrival order, duplicates
and who brought a document change nothing. How the units are shared out when a voucher closes is in closing.py.
Rule: protocol/spec/04-settlement.md; design of offline money, section 7.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from tikicash import units
from tikicash.chain import (
    Chain,
    Limits,
    check_bytes,
    check_counts,
    check_depth,
    check_related,
    gather,
    is_payment,
    is_voucher,
    operator_ids,
    payer_id,
    read_sources,
    traces,
)
from tikicash.cose import verify_signature
from tikicash.encoding import BYTES_MAX
from tikicash.errors import Rejected
from tikicash.messages import Bundle, IssuerKey, Payment, Proof, Signed
from tikicash.validity import (
    Verify,
    check_issued,
    check_issuer_key,
    check_issuers_known,
    check_network,
    check_payments,
    issued_in,
)

PROOF_LIMITS: Final = Limits(documents_max=24, signatures_max=36, bytes_max=BYTES_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Units of one voucher and the keys through which one payment took them: a node of the tree of lineages."""

    voucher_id: bytes  # 32 bytes
    units: units.Units
    lineage: tuple[bytes, ...]  # the voucher's key id, then every payee's
    payment: Signed[Payment]

    @property
    def signer_id(self) -> bytes:
        """The key id that signed the payment."""
        return self.lineage[-2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleSpend:
    """One key, some units, and two payments of it that no honest phone signs both."""

    key_id: bytes
    units: tuple[units.Units, ...]  # every range that both payments took, ascending; numbers are given out once
    payments: tuple[Signed[Payment], Signed[Payment]]  # in the order of their ids

    @property
    def count(self) -> int:
        """How many units were spent twice, in minor units."""
        return units.total(self.units)


def branches(documents: Iterable[Signed[Any]], *, operator: frozenset[bytes]) -> tuple[Branch, ...]:
    """Return a branch for every piece of every payment, each document once, in an order of their own.

    `documents` are valid (check_chain) and hold everything below each payment. Hand-backs make no branch.
    """
    # Each document once by its whole identity: a cheat could make two payments whose short ids are equal.
    unique = {item.id: item for item in documents}
    pool = {item.short_id: item for item in unique.values()}
    found = [
        Branch(voucher_id=way.voucher.id, units=way.units, lineage=way.lineage, payment=payment)
        for payment in unique.values()
        if is_payment(payment) and payment.body.payee_id not in operator
        for way in traces(payment, pool)
    ]
    return tuple(sorted(found, key=lambda item: (item.voucher_id, item.units, item.lineage, item.payment.id)))


def in_conflict(one: Branch, other: Branch) -> units.Units | None:
    """Return the units that one key signed to two lineages of which neither goes on from the other, or None.

    Equal lineages are one node: an honest retry under a new nonce is no double spend. A lineage that goes on from the
    other is money that came back and was handed on again.
    """
    if one.voucher_id != other.voucher_id or one.signer_id != other.signer_id:
        return None
    shared = min(len(one.lineage), len(other.lineage))
    if one.lineage[:shared] == other.lineage[:shared]:
        return None
    return units.overlap(one.units, other.units)


def double_spends(documents: Iterable[Signed[Any]], *, operator: frozenset[bytes]) -> tuple[DoubleSpend, ...]:
    """Return who spent which units twice: for each branch in conflict, one pair with an earlier branch.

    `documents` as for `branches`. The result depends on their set only. Every key that double spent is named;
    every pair can be proved with make_proof.
    """
    conflicts: list[tuple[Branch, Branch]] = []
    furthest: dict[tuple[bytes, bytes], _Furthest] = defaultdict(_Furthest)
    for branch in branches(documents, operator=operator):
        earlier = furthest[branch.voucher_id, branch.signer_id]
        # Branches come by first unit: if the furthest of those that don't fit ends before this one, they all do.
        other = earlier.that_does_not_fit(branch.lineage)
        if other is not None and in_conflict(other, branch) is not None:
            conflicts.append((other, branch))
        earlier.add(branch)
    return _by_pair_of_payments(conflicts)


class _Furthest:
    """The branches of one signer so far: which reaches furthest, among those that a lineage doesn't go on from.

    A cheat may sign thousands of branches to keys that cost him nothing, so that nobody may look through them again
    for each one. Lineages are a tree, and two of them don't fit if they part somewhere: for each place where they can
    part the two furthest are kept that go on by different keys, and one of the two parts from any other lineage.
    """

    def __init__(self) -> None:
        self._count = 0
        # By the keys before the parting: (end, minus the number of the branch, the key that goes on, the branch).
        self._two: dict[tuple[bytes, ...], list[tuple[int, int, bytes, Branch]]] = defaultdict(list)

    def that_does_not_fit(self, lineage: tuple[bytes, ...]) -> Branch | None:
        """Return the branch that ends last, of equal ones the first, whose lineage parts from this one; or None."""
        found = [
            next((item for item in self._two[lineage[:at]] if item[2] != lineage[at]), None)
            for at in range(1, len(lineage))
            if lineage[:at] in self._two
        ]
        return max((item for item in found if item is not None), default=(0, 0, b"", None), key=lambda item: item[:2])[
            3
        ]

    def add(self, branch: Branch) -> None:
        """Add a branch that begins no earlier than those before."""
        self._count += 1
        for at in range(1, len(branch.lineage)):
            step = branch.lineage[at]
            mine = (sum(branch.units), -self._count, step, branch)
            two = self._two[branch.lineage[:at]]
            same = next((item for item in two if item[2] == step), None)
            if same is not None and same[0] >= mine[0]:
                continue
            others = [item for item in two if item[2] != step]
            two[:] = sorted([*others, mine], key=lambda item: item[:2], reverse=True)[:2]


def _by_pair_of_payments(conflicts: Iterable[tuple[Branch, Branch]]) -> tuple[DoubleSpend, ...]:
    """Return one double spend for each two payments that meet, with all the units on which they do."""
    pairs: dict[tuple[bytes, bytes], list[tuple[Branch, Branch]]] = {}
    for conflict in conflicts:
        one, other = sorted(conflict, key=lambda branch: branch.payment.id)
        pairs.setdefault((one.payment.id, other.payment.id), []).append((one, other))
    return tuple(
        DoubleSpend(
            key_id=met[0][0].signer_id,
            units=units.merge(common for pair in met if (common := in_conflict(*pair)) is not None),
            payments=(met[0][0].payment, met[0][1].payment),
        )
        for _, met in sorted(pairs.items())
    )


def make_proof(
    first: Signed[Payment],
    second: Signed[Payment],
    *,
    chains: Iterable[Bundle],
    issuer_keys: Iterable[Signed[IssuerKey]],
) -> Proof:
    """Return the proof that two payments make, with what is below them taken from some bundles.

    Says nothing about whether it convinces: verify_proof does. Raises Rejected("parent_missing").
    """
    bundles = tuple(chains)
    documents, certificates = gather(
        (first, second),
        [item for bundle in bundles for item in bundle.documents],
        [item for bundle in bundles for item in bundle.certificates],
    )
    numbers = {item.body.issuer for item in documents if is_voucher(item)}
    numbers.update(item.body.issuer for item in certificates)
    return Proof(
        first_id=first.id,
        second_id=second.id,
        documents=documents,
        certificates=certificates,
        issuer_keys=tuple(item for item in issuer_keys if item.body.number in numbers),
    )


def verify_proof(proof: Proof, *, root_key: bytes, verify: Verify = verify_signature) -> DoubleSpend:
    """Return the double spend that a proof shows to anybody who knows the root key, or raise Rejected.

    Codes in order: too_many_documents, too_many_signatures, bundle_too_large, document_repeated, parent_missing,
    unrelated_document, proof_payment_missing, too_many_hands, wrong_network, wrong_currency, operator_signature_wrong
    (an issuer key), issuer_unknown, operator_signature_wrong, the codes of check_payments, proof_of_several_signers,
    proof_of_different_units, proof_of_honest_payments.
    """
    chain, first, second = _read_proof(proof)
    issuer_keys = tuple(check_issuer_key(item, root_key=root_key, verify=verify) for item in proof.issuer_keys)
    operator = operator_ids(issuer_keys)
    check_depth(chain.sources, PROOF_LIMITS, operator)
    check_network(chain, net=first.body.net, currency=first.body.currency)
    check_issuers_known(chain, issuer_keys)
    for document in issued_in(chain):
        check_issued(document, issuer_keys=issuer_keys, verify=verify)
    check_payments(chain, operator=operator, limit_payments=False, verify=verify)
    if payer_id(first, chain.sources) != payer_id(second, chain.sources):
        raise Rejected("proof_of_several_signers")
    found = branches(chain.sources.values(), operator=operator)
    ones = [item for item in found if item.payment.id == first.id]
    others = [item for item in found if item.payment.id == second.id]
    if not ones or not others:
        raise Rejected("proof_of_honest_payments", "a hand-back")
    return _conflict_between([(one, other) for one in ones for other in others])


def _conflict_between(pairs: list[tuple[Branch, Branch]]) -> DoubleSpend:
    """Return the double spend that pairs of branches of two payments of one signer are.

    Raises Rejected: proof_of_different_units, proof_of_honest_payments.
    """
    meeting = [
        (one, other)
        for one, other in pairs
        if one.voucher_id == other.voucher_id and units.overlap(one.units, other.units) is not None
    ]
    if not meeting:
        raise Rejected("proof_of_different_units")
    found = _by_pair_of_payments(pair for pair in meeting if in_conflict(*pair) is not None)
    if not found:
        raise Rejected("proof_of_honest_payments")
    return found[0]


def _read_proof(proof: Proof) -> tuple[Chain, Signed[Payment], Signed[Payment]]:
    """Return what a proof holds, its two payments named, having verified no signature."""
    check_counts(len(proof.documents), len(proof.certificates) + len(proof.issuer_keys), PROOF_LIMITS)
    check_bytes(len(proof.to_bytes()), PROOF_LIMITS)
    sources = read_sources(proof.documents, proof.certificates)
    payments = {item.id: item for item in sources.values() if is_payment(item)}
    first, second = payments.get(proof.first_id), payments.get(proof.second_id)
    if first is None or second is None:
        raise Rejected("proof_payment_missing")
    check_related((first, second), sources, proof.certificates)
    chain = Chain(
        payment=first,
        sources=sources,
        vouchers=tuple(item for item in sources.values() if is_voucher(item)),
        payments=tuple(payments.values()),
        certificates=proof.certificates,
        payer_id=payer_id(first, sources),
        depth=0,
    )
    return chain, first, second


def final_before_close(*, budget: int, claims: Iterable[tuple[int, int]], locked: int = 0) -> int:
    """Return how much of a payee's open claims is final before their vouchers close, in minor units.

    locked + min(B, sum over open vouchers of min(cover, claimed)): `budget` is B of the payee's key, `claims` holds
    (cover, claimed) for each open voucher that is locked to nobody, `locked` is what he can claim of those locked to
    his key. It is what his phone called Final and Protected (safety.promised).
    """
    return locked + min(budget, sum(min(cover, claimed) for cover, claimed in claims))
