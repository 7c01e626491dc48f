"""No broken code is ever believed: bundles and proofs are mutated, and the judges may only say no, quickly.

What may be accepted of a mutation is exactly what is none: every document is one that its owner signed (same identity,
the signature or the twin that anybody can make of it), every opening fits, and it is the same payment. Such codes
differ from the original in the order of documents, in an opening left out, in a genuine certificate more.

`python -m protocol.fuzz` (src and tests on the path) runs a million; a failure prints a line that repeats it, and adds
the code to fuzz_examples.json, which every `make test` judges again.
"""

import argparse
import gc
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from protocol.mutations import Mutator, twin_of
from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    EVE,
    FIRST,
    ISSUER_KEY,
    MALLORY,
    ROOT,
    Key,
    bundle,
    certificate,
    chained,
    context,
    nonce,
    pay,
    piece,
    request,
    salt,
    voucher,
)
from tikicash.chain import LIMITS, operator_ids
from tikicash.cose import Signer, verify_signature
from tikicash.direct import check_direct
from tikicash.encoding import BYTES_MAX, decode, encode, to_text
from tikicash.errors import Rejected
from tikicash.messages import Bundle, Message, Opening, Proof, memo_commitment, parse, parse_code
from tikicash.rules import accept
from tikicash.settlement import make_proof, verify_proof
from tikicash.validity import Verify, check_chain

EXAMPLES = Path(__file__).with_name("fuzz_examples.json")
BUNDLE_VERIFICATIONS_MAX = 16
PROOF_VERIFICATIONS_MAX = 36
CHECKPOINTS = 10
TEXTS = 0.05  # of the cases are broken as text: Base45 takes longer than all the rest
GROWTH_BYTES_MAX = 8 * 2**20
GROWTH_BLOCKS_MAX = 5000  # of Python's own allocator: a leak of one small object in a hundred cases is seen

# Only these may come after a signature was verified: whatever else is wrong has to be refused for nothing.
AFTER_SIGNATURES = {
    "operator_signature_wrong", "parents_of_several_owners", "handed_back_already", "certificate_missing",
    "payment_signature_wrong", "piece_outside_parent", "pieces_overlap", "total_differs", "may_not_hand_on",
    "locked_to_another", "payment_above_limit", "already_held", "spent_twice",
}  # fmt: skip
# A proof brings its own issuer keys, so that they are verified before the chain is looked at.
PROOFS_AFTER_SIGNATURES = AFTER_SIGNATURES | {
    "too_many_hands", "wrong_network", "wrong_currency", "issuer_unknown", "proof_of_several_signers",
    "proof_of_different_units", "proof_of_honest_payments",
}  # fmt: skip
CERTIFIED = (ASHA, BEN, CHI, DAN)
NOBODIES = tuple(Key(f"nobody {number}") for number in range(4))  # keys that own nothing


class Broken(AssertionError):
    """A promise about hostile codes does not hold."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A real code, and who judges what was made of it."""

    name: str
    message: Bundle | Proof
    check: Callable[[Message, Verify], object]  # returns what was accepted, the same for the same payment
    verifications_max: int = BUNDLE_VERIFICATIONS_MAX
    after_signatures: frozenset[str] = frozenset(AFTER_SIGNATURES)


@dataclass(kw_only=True)
class Found:
    """What some cases came to."""

    verdicts: Counter[str] = field(default_factory=Counter)
    verifications: int = 0
    verifications_most: int = 0
    slowest_seconds: float = 0.0
    slowest: str = ""
    resident_bytes: list[int] = field(default_factory=list)  # at the checkpoints
    blocks: list[int] = field(default_factory=list)


def payee_accepts(payee: Key, amount: int) -> Callable[[Message, Verify], object]:
    given = context(payee, amount)

    def check(message: Message, verify: Verify) -> object:
        result = accept(message, context=given, verify=verify)
        return result.payment.id, result.payer_id, result.chain.depth, sorted(result.chain.sources)

    return check


def settlement_counts(message: Message, verify: Verify) -> object:
    direct, issuer_keys = None, (ISSUER_KEY.body,)
    if isinstance(message, Bundle):
        direct = check_direct(
            message, net=1, issuer_keys=issuer_keys, operator=operator_ids(issuer_keys), limits=LIMITS,
            verify=verify_signature,
        )  # fmt: skip
    try:
        chain = check_chain(message, net=1, issuer_keys=issuer_keys, verify=verify)
    except Rejected:
        assert direct is None, "taken at a glance, and refused by the rule"
        raise
    assert direct in (None, chain)
    return "counted"  # any genuine payment is, so that a whole other one may come out of a splice


def anybody_believes(message: Message, verify: Verify) -> object:
    found = verify_proof(message, root_key=ROOT.public, verify=verify)
    return found.key_id, found.units


@cache
def subjects() -> tuple[Subject, ...]:
    """The codes that are broken: every shape that a wallet shows."""
    world = chained()
    memo = Opening(opens=2, salt=salt("memo"), text="two fish")
    of_asha, of_ben = voucher(ASHA, named=True), voucher(BEN, first=FIRST + 8192)
    told = pay(ASHA, BEN, piece(of_asha, FIRST, 900), memo_commit=memo_commitment(memo.salt, memo.text))
    other = voucher(ASHA, first=FIRST + 16_384, count=100)
    wide = pay(ASHA, BEN, piece(world.voucher, FIRST, 700), piece(other))
    locked = voucher(ASHA, first=FIRST + 24_576, audience_key=BEN.public)
    kept = pay(ASHA, BEN, piece(locked, FIRST + 24_576, 800))
    mixed = pay(BEN, CHI, piece(world.to_ben), piece(of_ben, FIRST + 8192, 50), nonce=nonce("mixed"))
    twice = pay(ASHA, EVE, piece(world.voucher, FIRST + 1000, 500))
    deep = pay(CHI, EVE, piece(world.to_chi))
    shown = {
        "depth 1": (world.bundle(1), BEN, 1250),
        "depth 2": (world.bundle(2), CHI, 1250),
        "depth 3": (world.bundle(3), DAN, 1250),
        "name and memo": (bundle(told, of_asha, openings=(ASHA.opening, memo)), BEN, 900),
        "two vouchers": (bundle(wide, world.voucher, other), BEN, 800),
        "locked": (bundle(kept, locked), BEN, 800),
        "received and own": (bundle(mixed, of_ben, *world.documents), CHI, 1300),
    }
    certificates = tuple(certificate(key) for key in CERTIFIED)
    pool = (Bundle(documents=(*world.documents[:4], twice, deep), certificates=certificates),)
    proofs = {"proof": (world.to_ben, twice), "proof at depth 3": (world.to_dan, deep)}
    found = []
    for name, (message, payee, amount) in shown.items():
        given = payee_accepts(payee, amount)
        if name == "received and own":
            given = _under_another_nonce(payee, amount, mixed.body.nonce)
        found.append(Subject(name=name, message=message, check=given))
        found.append(Subject(name=f"{name}, at the settlement", message=message, check=settlement_counts))
    for name, pair in proofs.items():
        made = make_proof(*pair, chains=pool, issuer_keys=(ISSUER_KEY,))
        found.append(
            Subject(
                name=name,
                message=made,
                check=anybody_believes,
                verifications_max=PROOF_VERIFICATIONS_MAX,
                after_signatures=frozenset(PROOFS_AFTER_SIGNATURES),
            )
        )
    return tuple(found)


def _under_another_nonce(payee: Key, amount: int, of: bytes) -> Callable[[Message, Verify], object]:
    given = replace(context(payee, amount), open_requests=(request(payee, amount, nonce=of).body,))

    def check(message: Message, verify: Verify) -> object:
        return accept(message, context=given, verify=verify).payment.id

    return check


def signed_in(message: Bundle | Proof) -> Iterable[Any]:
    return (*message.documents, *message.certificates, *getattr(message, "issuer_keys", ()))


@cache
def originals() -> dict[str, object]:
    """What is accepted of each code as it is."""
    return {subject.name: subject.check(subject.message, verify_signature) for subject in subjects()}


@cache
def genuine() -> dict[bytes, frozenset[bytes]]:
    """The signatures that verify under each identity that somebody really signed."""
    every = [item for subject in subjects() for item in signed_in(subject.message)]
    every += [certificate(key) for key in CERTIFIED]
    return {item.id: frozenset({item.signature, twin_of(item.signature)}) for item in every}


def is_no_mutation(subject: Subject, message: Message, accepted: object) -> bool:
    """Tell whether what was accepted says nothing but what its owners signed."""
    if not isinstance(message, type(subject.message)):
        return False
    true = genuine()
    openings = {item for one in subjects() for item in getattr(one.message, "openings", ())}
    return (
        accepted == originals()[subject.name]
        and all(item.signature in true.get(item.id, ()) for item in signed_in(message))
        and set(getattr(message, "openings", ())) <= openings
    )


def judge(subject: Subject, code: str | bytes, found: Found) -> str:
    """Return the verdict on a code ("accepted" or a code), counted in `found`. Raises Broken."""
    verifications = 0

    def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
        nonlocal verifications
        verifications += 1
        return verify_signature(public_key, message, signature)

    started = time.perf_counter()
    try:
        message = parse_code(code) if isinstance(code, str) else parse(code)
        accepted = subject.check(message, verify)
        verdict = "accepted"
    except Rejected as rejected:
        verdict = rejected.code
    except Exception as crash:
        raise Broken(f"crashed: {crash!r}") from crash
    seconds = time.perf_counter() - started
    if verdict == "accepted" and not is_no_mutation(subject, message, accepted):
        raise Broken("accepted")
    if verifications > subject.verifications_max:
        raise Broken(f"{verifications} verifications")
    if verifications and verdict != "accepted" and verdict not in subject.after_signatures:
        raise Broken(f"{verifications} verifications before {verdict}")
    found.verdicts[verdict] += 1
    found.verifications += verifications
    found.verifications_most = max(found.verifications_most, verifications)
    if seconds > found.slowest_seconds:
        found.slowest_seconds, found.slowest = seconds, text_of(code)
    return verdict


def nobody(doc_type: int, draw: random.Random) -> Signer:
    """Return a key that may sign nothing: what its owner signs is no mutation, but another payment."""
    return draw.choice((MALLORY, *NOBODIES)).signer


class Fuzz:
    """The cases of a seed: each can be made again from the seed and its number."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.codes = [subject.message.to_bytes() for subject in subjects()]
        self.values = [decode(data) for data in self.codes]
        self.mutator = Mutator(random.Random(seed), codes=self.codes, signer_of=nobody)

    def case(self, number: int) -> tuple[Subject, str | bytes]:
        """Return who judges, and a broken code: its text, or the bytes that a text would stand for."""
        draw = self.mutator.random = random.Random(f"{self.seed}/{number}")
        at = draw.randrange(len(self.codes))
        data = self._broken(at, draw)
        # What is larger than any code comes as text, whose length is looked at first.
        if len(data) > BYTES_MAX:
            return subjects()[at], to_text(data)
        return subjects()[at], self.mutator.characters(to_text(data)) if draw.random() < TEXTS else data

    def _broken(self, at: int, draw: random.Random) -> bytes:
        mutator, kind, value = self.mutator, draw.random(), self.values[at]
        if kind < 0.15:
            return mutator.octets(self.codes[at]) if kind < 0.12 else mutator.hostile(self.codes[at])
        try:
            for _ in range(draw.choice((1, 1, 1, 2, 3))):
                value = mutator.message(value)
            data = encode(value)
        except (Rejected, ValueError, TypeError):  # what was changed no longer has the place to be changed again
            return mutator.octets(self.codes[at])
        return mutator.octets(data) if draw.random() < 0.05 else data

    def run(self, numbers: range) -> Found:
        """Judge some cases. Raises Broken, with a line that repeats the case."""
        found = Found()
        marks = {numbers[len(numbers) * part // CHECKPOINTS - 1] for part in range(1, CHECKPOINTS + 1)}
        for number in numbers:
            subject, code = self.case(number)
            try:
                judge(subject, code, found)
            except Broken as broken:
                keep(subject.name, text_of(code))
                line = f"{broken}: --seed {self.seed} --case {number} ({subject.name})"
                raise Broken(f"{line}\n{text_of(code)}") from broken
            if number in marks:
                gc.collect()
                found.blocks.append(sys.getallocatedblocks())
                found.resident_bytes.append(resident_bytes())
        return found


def text_of(code: str | bytes) -> str:
    """Return the text of a broken code."""
    return code if isinstance(code, str) else to_text(code)


def keep(name: str, text: str) -> None:
    """Add a code that broke a promise to the fixed examples."""
    examples = json.loads(EXAMPLES.read_text())
    examples.append({"why": "found by a fuzz", "subject": name, "input": text, "expect": None})
    EXAMPLES.write_text(json.dumps(examples, indent=1) + "\n")


def resident_bytes() -> int:
    """Return how much memory this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def check_memory(found: Found) -> None:
    """Raise Broken if memory grew from the first checkpoint, when everything was met once, to the last."""
    blocks = max(found.blocks) - found.blocks[0]
    grown = found.resident_bytes[-1] - found.resident_bytes[0]
    if blocks > GROWTH_BLOCKS_MAX or grown > GROWTH_BYTES_MAX:
        raise Broken(f"memory grew by {blocks} blocks, {grown} bytes")


def run_part(seed: int, numbers: range) -> Found:
    """Judge a part of the cases; in a process of its own."""
    found = Fuzz(seed).run(numbers)
    check_memory(found)
    return found


def main() -> int:
    """Judge as many cases as asked, on every core, and say what came of it."""
    parser = argparse.ArgumentParser(description="No broken bundle or proof is ever believed.")
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--case", type=int, help="judge this one again")
    asked = parser.parse_args()
    say = sys.stdout.write
    say(f"seed {asked.seed}\n")
    sys.stdout.flush()
    if asked.case is not None:
        subject, code = Fuzz(asked.seed).case(asked.case)
        say(f"{subject.name}\n{text_of(code)}\n{judge(subject, code, Found())}\n")
        return 0
    cores = os.cpu_count() or 1
    cuts = [asked.cases * part // cores for part in range(cores + 1)]
    with ProcessPoolExecutor(cores) as pool:
        waiting = [pool.submit(run_part, asked.seed, range(*cut)) for cut in pairwise(cuts)]
        try:
            parts = [part.result() for part in waiting]
        except Broken as broken:
            say(f"{broken}\n")
            return 1
    for verdict, count in sum((part.verdicts for part in parts), Counter()).most_common():
        say(f"{count:8} {verdict}\n")
    slowest = max(parts, key=lambda part: part.slowest_seconds)
    say(f"most verifications {max(part.verifications_most for part in parts)}\n")
    say(f"slowest {slowest.slowest_seconds * 1000:.1f} ms: {slowest.slowest[:80]}...\n")
    for part in parts:
        say("memory in MiB: " + " ".join(f"{size / 2**20:.1f}" for size in part.resident_bytes) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
