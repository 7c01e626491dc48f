"""Stories about who is named: every cheat, and nobody honest."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from protocol.world import (
    ASHA,
    BEN,
    CHI,
    DAN,
    EVE,
    FIRST,
    ISSUER,
    ISSUER_KEY,
    MALLORY,
    NOW,
    ROOT,
    Chained,
    bundle,
    certificate,
    chained,
    nonce,
    pay,
    piece,
    sign,
    voucher,
)
from tikicash.messages import Bundle, Proof, Signed, to_code
from tikicash.settlement import make_proof

Story = dict[str, Any]


def names(why: str, *shown: Bundle) -> Story:
    given = {"issuer_keys": [to_code(ISSUER_KEY)]}
    codes = [to_code(item) for item in shown]
    return {"why": why, "check": "double_spends", "now": NOW, "input": codes, "context": given, "code": None}


def proves(why: str, proof: Proof, code: str | None = None) -> Story:
    given = {"root_key": ROOT.public.hex()}
    return {
        "why": why,
        "check": "verify_proof",
        "now": NOW,
        "input": to_code(proof),
        "context": given,
        "code": code,
    }


def proof_of(one: Signed, other: Signed, *pool: Signed) -> Proof:
    shown = Bundle(documents=tuple(pool), certificates=tuple(certificate(key) for key in (ASHA, BEN, CHI, DAN, EVE)))
    return make_proof(one, other, chains=(shown,), issuer_keys=(ISSUER_KEY,))


def settlement() -> Iterator[Story]:
    world = chained()
    yield from honest(world)
    yield from cheating(world)
    yield from proofs(world)
    yield from broken_proofs(world)


def honest(world: Chained) -> Iterator[Story]:
    of_asha = world.voucher
    yield names("an honest chain, one copy from each hand", world.bundle(1), world.bundle(2), world.bundle(3))
    yield names("the same document twice is one payment", world.bundle(1), world.bundle(1))
    retry = pay(ASHA, BEN, piece(of_asha, FIRST + 700, 1250), nonce=nonce("retry"))
    yield names("a second document to the same payee is the same node", world.bundle(2), bundle(retry, of_asha))
    back = pay(BEN, ASHA, piece(world.to_ben))
    on = pay(ASHA, CHI, piece(back))
    loop = bundle(on, back, certificate(ASHA), *world.documents)
    yield names("Asha pays Ben, gets it back and pays Chi", world.bundle(1), loop)
    home = pay(BEN, ISSUER, piece(world.to_ben))
    shown = Bundle(documents=(of_asha, world.to_ben, home))
    yield names("a hand-back makes no branch", world.bundle(2), shown)
    apart = pay(ASHA, DAN, piece(of_asha, FIRST, 700))
    yield names("other units of the same voucher", world.bundle(1), bundle(apart, of_asha))


def cheating(world: Chained) -> Iterator[Story]:
    of_asha = world.voucher
    to_eve = pay(ASHA, EVE, piece(of_asha, FIRST + 1000, 500))
    yield names("Asha pays Ben and Eve with the same units", world.bundle(3), bundle(to_eve, of_asha))
    also = pay(BEN, EVE, piece(world.to_ben, FIRST + 700, 10))
    shown = bundle(also, *world.documents)
    yield names("Ben hands ten units on twice; Asha is not named", world.bundle(2), shown)
    back = pay(BEN, ASHA, piece(world.to_ben))
    on = pay(ASHA, CHI, piece(back))
    loop = bundle(on, back, certificate(ASHA), *world.documents)
    again = pay(ASHA, DAN, piece(of_asha, FIRST + 700, 1250))
    yield names("Asha spends the voucher again instead of what came back", loop, bundle(again, of_asha))


def proofs(world: Chained) -> Iterator[Story]:
    of_asha = world.voucher
    to_eve = pay(ASHA, EVE, piece(of_asha, FIRST + 1000, 500))
    yield proves("Asha paid Ben and Eve with the same units", proof_of(world.to_ben, to_eve, *world.documents[:4]))
    also = pay(BEN, EVE, piece(world.to_ben, FIRST + 700, 10))
    yield proves("Ben handed ten units on twice", proof_of(world.to_chi, also, *world.documents[:4]))
    honest_code = "proof_of_honest_payments"
    retry = pay(ASHA, BEN, piece(of_asha, FIRST + 700, 1250), nonce=nonce("retry"))
    yield proves("a retry proves nothing", proof_of(world.to_ben, retry, of_asha), honest_code)
    yield proves("a payment and itself prove nothing", proof_of(world.to_ben, world.to_ben, of_asha), honest_code)
    back = pay(BEN, ASHA, piece(world.to_ben))
    on = pay(ASHA, CHI, piece(back))
    shown = proof_of(world.to_ben, on, back, *world.documents[:2])
    yield proves("money that came back may be handed on", shown, honest_code)
    home = pay(ASHA, ISSUER, piece(of_asha))
    yield proves("a hand-back is no second payment", proof_of(world.to_ben, home, of_asha), honest_code)
    apart = pay(ASHA, DAN, piece(of_asha, FIRST, 700))
    shown = proof_of(world.to_ben, apart, of_asha)
    yield proves("other units prove nothing", shown, "proof_of_different_units")
    shown = proof_of(world.to_ben, world.to_chi, *world.documents[:4])
    yield proves("two hands of one chain are two signers", shown, "proof_of_several_signers")


def broken_proofs(world: Chained) -> Iterator[Story]:
    of_asha = world.voucher
    to_eve = pay(ASHA, EVE, piece(of_asha, FIRST + 1000, 500))
    good = proof_of(world.to_ben, to_eve, of_asha)
    missing = replace(good, second_id=world.to_chi.id)
    yield proves("the second payment is not there", missing, "proof_payment_missing")
    three = proof_of(world.to_ben, to_eve, of_asha)
    extra = replace(three, documents=(*three.documents, world.to_chi))
    yield proves("a document that belongs to neither", extra, "unrelated_document")
    yield proves("no issuer key", replace(good, issuer_keys=()), "issuer_unknown")
    forged = sign(ISSUER_KEY.body, MALLORY.signer)
    wrong = "operator_signature_wrong"
    yield proves("an issuer key that Mallory signed", replace(good, issuer_keys=(forged,)), wrong)
    framed = pay(MALLORY, EVE, piece(of_asha, FIRST + 1000, 500))
    shown = proof_of(world.to_ben, framed, of_asha)
    yield proves("Mallory cannot frame Asha", shown, "payment_signature_wrong")
    fake = voucher(ASHA, by=MALLORY)
    one, other = pay(ASHA, BEN, piece(fake)), pay(ASHA, EVE, piece(fake))
    yield proves("a voucher that Mallory signed", proof_of(one, other, fake), wrong)
    many = replace(good, issuer_keys=(ISSUER_KEY,) * 34)
    yield proves("too many signatures to check", many, "too_many_signatures")
    yield proves("a document twice", replace(good, documents=good.documents * 2), "document_repeated")
