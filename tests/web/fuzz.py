"""Python and JavaScript judge the same broken codes: one verdict, one code, or there are two standards.

Each case is a vector, mutated: bytes of the code, values inside its CBOR, documents dropped, doubled or swapped between
codes, fields changed and signed again by whoever may sign them, the clock. `python -m web.fuzz --cases 100000`
(with src and tests on the path) runs as many as asked; a failure prints its seed
and the case.
"""

import argparse
import json
import random
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from protocol import make_vectors, world
from protocol.runner import run
from tikicash import cose
from tikicash.encoding import INTEGER_MAX, Value, decode, encode, from_text, to_text
from tikicash.errors import Rejected
from tikicash.messages import parse_code
from tikiwallet.web.setup import find_node

JUDGE = Path(__file__).with_name("judge.js")
AHEAD_MAX = 8  # cases on the way at once, so that both work; few enough that no pipe fills up and stops both
OPERATORS_CHECKS = {"double_spends", "verify_proof"}
ANSWERS = {"verify_receipt", "verify_refusal", "check_issued", "check_issuer_key"}
NUMBERS = (0, 1, 2, 16, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53 - 2, 2**53 - 1, world.NOW)
SIGNERS = {
    key.public: key.signer
    for key in (world.ROOT, world.ISSUER, world.ASHA, world.BEN, world.CHI, world.DAN, world.EVE, world.MALLORY)
}
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Vector = dict[str, Any]


class Mutator:
    """Breaks vectors, the same way for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        vectors = [item for file in sorted(make_vectors.FOLDER.glob("*.json")) for item in json.loads(file.read_text())]
        self.vectors = [item for item in vectors if item["check"] not in OPERATORS_CHECKS | {"choose_pieces"}]
        self.codes = [from_text(item["input"]) for item in self.vectors if kind_of(item["input"])]

    def case(self) -> Vector:
        """Return one broken vector (now and then a whole one)."""
        vector = dict(self.random.choice(self.vectors))
        if vector["check"] == "decode":
            vector["input"] = self.octets(bytes.fromhex(vector["input"])).hex()
            return vector
        kind = kind_of(vector["input"])
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            vector["input"] = self.code(vector["input"])
        if self.random.random() < 0.1 and vector["check"] in ("accept", "verify_request"):
            vector["now"] = self.random.choice(NUMBERS) + self.random.randrange(-3 * 86_400, 3 * 86_400)
        if vector["check"] in ANSWERS and kind_of(vector["input"]) != kind:
            vector["check"] = "parse_code"  # these checks take one type of document: the caller has looked
        return vector

    def code(self, text: str) -> str:
        """Return the text of a code, broken somewhere."""
        try:
            data = from_text(text)
        except Rejected:
            return self.characters(text)
        if self.random.random() < 0.1:
            return self.characters(text)
        if self.random.random() < 0.1:
            return to_text(self.octets(data))
        return self.structure(data) or text

    def characters(self, text: str) -> str:
        """Return text with one character taken, doubled or changed, or cut short."""
        at = self.random.randrange(len(text) + 1)
        new = self.random.choice("0Z:%$ tK1/€\U0001f4b0")
        less, other, cut = text[:at] + text[at + 1 :], text[:at] + new + text[at + 1 :], text[:at]
        return self.random.choice((less, other, cut, cut + text[at:] * 2, text + cut))

    def octets(self, data: bytes) -> bytes:
        """Return bytes with one bit, byte or run of them changed, or with a run of another code's bytes."""
        at = self.random.randrange(len(data) + 1)
        size = self.random.randrange(1, 40)
        other = self.random.choice(self.codes)
        place = self.random.randrange(len(other))
        return self.random.choice((
            data[:at] + bytes(byte ^ 1 << self.random.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :],
            data[:at] + self.random.randbytes(1) + data[at + 1 :],
            data[:at] + data[at + size :],
            data[:at] + self.random.randbytes(size) + data[at:],
            data[:at] + other[place : place + size] + data[at + size :],
        ))  # fmt: skip

    def structure(self, data: bytes) -> str | None:
        """Return a code with something changed inside its CBOR, and perhaps signed anew; None if that can't be."""
        alone = cose.is_sign1(data)
        try:
            value: Value = list(cose.from_sign1(data)) if alone else decode(data)
            changed = self.document(value) if alone else self.message(value)
            return to_text(cose.to_sign1(*changed) if alone else encode(changed))  # type: ignore[misc]
        except (Rejected, ValueError, TypeError):
            return None

    def message(self, value: Any) -> Any:
        """Return a bundle or proof with a list changed or one of its documents."""
        lists = [at for at, item in enumerate(value) if isinstance(item, list) and item]
        if not lists:
            return self.value(value)
        at = self.random.choice(lists)
        items = list(value[at])
        index = self.random.randrange(len(items))
        match self.random.randrange(8):
            case 0:
                items.pop(index)
            case 1:
                items.insert(self.random.randrange(len(items) + 1), items[index])
            case 2:
                self.random.shuffle(items)
            case 3:
                items.insert(index, self.borrowed())
            case 4:
                return self.value(value)
            case _:
                items[index] = self.document(items[index])
        return [*value[:at], items, *value[at + 1 :]]

    def borrowed(self) -> Value:
        """Return a document, certificate or opening of another code."""
        while True:
            data = self.random.choice(self.codes)
            if cose.is_sign1(data):
                return list(cose.from_sign1(data))
            lists = [item for part in decode(data) if isinstance(part, list) for item in part]  # type: ignore[union-attr]
            if lists:
                return self.random.choice(lists)

    def document(self, pair: Any) -> Any:
        """Return a document or opening with a field or its signature changed."""
        if len(pair) != 2 or not isinstance(pair[0], bytes):
            return self.value(pair)
        payload, signature = pair
        if self.random.random() < 0.2:
            s = int.from_bytes(signature[32:], "big")
            high = signature[:32] + ((ORDER - s) % ORDER).to_bytes(32, "big")
            return [payload, self.random.choice((high, bytes(64), signature[32:] + signature[:32], signature[:-1]))]
        fields = decode(payload)
        changed = encode(self.value(fields))
        doc_type = fields[0] if isinstance(fields, list) and fields else None
        if self.random.random() < 0.7 and doc_type in cose.EXTERNAL_AAD:
            signer = self.random.choice([self.signer(doc_type), self.random.choice(list(SIGNERS.values()))])
            signature = cose.sign_document(doc_type, changed, signer)
        return [changed, signature]

    def signer(self, doc_type: int) -> cose.Signer:
        """Return who usually signs a type of document."""
        if doc_type == cose.ISSUER_KEY:
            return world.ROOT.signer
        return world.BEN.signer if doc_type in (cose.REQUEST, cose.RECEIPT, cose.REFUSAL) else (
            world.ASHA.signer if doc_type == cose.PAYMENT else world.ISSUER.signer
        )  # fmt: skip

    def value(self, value: Any) -> Any:
        """Return a CBOR value with one leaf or list changed."""
        if isinstance(value, list) and value and self.random.random() < 0.9:
            at = self.random.randrange(len(value))
            return [*value[:at], self.value(value[at]), *value[at + 1 :]]
        if isinstance(value, int) and self.random.random() < 0.6:
            return min(max(value + self.random.choice((-86_400, -256, -1, 1, 2, 256, 86_400)), 0), INTEGER_MAX)
        if isinstance(value, bytes) and value and self.random.random() < 0.6:
            at = self.random.randrange(len(value))
            return value[:at] + bytes([value[at] ^ 1 << self.random.randrange(8)]) + value[at + 1 :]
        keys = [*SIGNERS, *(cose.short_id(key) for key in SIGNERS)]
        return self.random.choice((self.random.choice(NUMBERS), None, b"", "", "Ben", "\u202eneB", [], [value], value,
                                   self.random.randbytes(self.random.choice((8, 16, 32, 33))),
                                   self.random.choice(keys)))  # fmt: skip


def kind_of(code: str) -> str:
    """Return what a code is, empty if it is none."""
    try:
        message = parse_code(code)
    except Rejected:
        return ""
    return type(getattr(message, "body", message)).__name__


def cases(*, seed: int, count: int) -> Iterator[Vector]:
    """Return the cases of a seed, each with a number."""
    mutator = Mutator(seed)
    for number in range(count):
        yield {**mutator.case(), "id": f"seed {seed}, case {number}"}


def compare(*, seed: int, count: int, say: Callable[[str], None] = lambda _: None) -> Counter[str]:
    """Return how often each verdict came up, or raise AssertionError with the first case of two opinions."""
    verdicts: Counter[str] = Counter()
    node, _ = find_node()
    with subprocess.Popen([node, JUDGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as judge:
        assert judge.stdin is not None
        assert judge.stdout is not None
        asked: deque[tuple[Vector, Any]] = deque()
        for vector in chain(cases(seed=seed, count=count), repeat(None, AHEAD_MAX)):
            if vector is not None:
                judge.stdin.write(json.dumps({key: value for key, value in vector.items() if key != "expect"}) + "\n")
                judge.stdin.flush()
                asked.append((vector, json.loads(json.dumps(run(vector)))))
            if asked and (vector is None or len(asked) == AHEAD_MAX):
                judged, python = asked.popleft()
                javascript = json.loads(judge.stdout.readline())
                assert javascript == python, f"{judged['id']}: {javascript} is not {python}\n{json.dumps(judged)}"
                verdicts[python.get("reject", f"accepted: {judged['check']}")] += 1
                if verdicts.total() % 10_000 == 0:
                    say(f"{verdicts.total()} cases agree")
        judge.stdin.close()
    return verdicts


def main() -> None:
    """Compare as many cases as asked, and say which verdicts came up."""
    parser = argparse.ArgumentParser(description="Python and JavaScript judge the same broken codes.")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    asked = parser.parse_args()
    say = partial(print, flush=True)
    say(f"seed {asked.seed}")
    try:
        verdicts = compare(seed=asked.seed, count=asked.cases, say=say)
    except AssertionError as difference:
        sys.exit(str(difference))
    for verdict, count in verdicts.most_common():
        say(f"{count:8} {verdict}")


if __name__ == "__main__":
    main()
