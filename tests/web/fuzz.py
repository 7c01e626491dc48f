"""Python and JavaScript judge the same broken codes: one verdict, one code, or there are two standards.

Each case is a vector, mutated: bytes of the code, values inside its CBOR, documents dropped, doubled or swapped between
codes, fields changed and signed again by whoever may sign them, the clock. `python -m web.fuzz --cases 100000` (with
src and tests on the path) runs as many as asked; a failure prints its seed and the case.
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
from protocol.mutations import NUMBERS, PEOPLE, Mutator
from protocol.runner import run
from tikicash import cose
from tikicash.encoding import from_text
from tikicash.errors import Rejected
from tikicash.messages import parse_code
from tikiwallet.web.setup import find_node

JUDGE = Path(__file__).with_name("judge.js")
AHEAD_MAX = 8  # cases on the way at once, so that both work; few enough that no pipe fills up and stops both
OPERATORS_CHECKS = {"double_spends", "verify_proof"}
CHOICES = {"choose_pieces", "refund_pieces"}  # no code to break
ANSWERS = {"verify_receipt", "verify_refusal", "check_issued", "check_issuer_key"}

Vector = dict[str, Any]


class VectorMutator(Mutator):
    """Breaks vectors, the same way for the same seed."""

    def __init__(self, seed: int) -> None:
        vectors = [item for file in sorted(make_vectors.FOLDER.glob("*.json")) for item in json.loads(file.read_text())]
        self.vectors = [item for item in vectors if item["check"] not in OPERATORS_CHECKS | CHOICES]
        codes = [from_text(item["input"]) for item in self.vectors if kind_of(item["input"])]
        super().__init__(random.Random(seed), codes=codes, signer_of=signer_of)

    def case(self) -> Vector:
        """Return one broken vector (now and then a whole one)."""
        vector = dict(self.random.choice(self.vectors))
        if vector["check"] == "decode":
            vector["input"] = self.octets(bytes.fromhex(vector["input"])).hex()
            return vector
        kind = kind_of(vector["input"])
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            vector["input"] = self.code(vector["input"])
        if self.random.random() < 0.1 and vector["check"] in ("accept", "accept_claim", "verify_request"):
            vector["now"] = self.random.choice(NUMBERS) + self.random.randrange(-3 * 86_400, 3 * 86_400)
        if vector["check"] in ANSWERS and kind_of(vector["input"]) != kind:
            vector["check"] = "parse_code"  # these checks take one type of document: the caller has looked
        return vector


def signer_of(doc_type: int, draw: random.Random) -> cose.Signer:
    """Return who usually signs a type of document, or anybody: a change that is signed right reaches the last rules."""
    if draw.random() < 0.5:
        return draw.choice(PEOPLE).signer
    if doc_type == cose.ISSUER_KEY:
        return world.ROOT.signer
    if doc_type in (cose.REQUEST, cose.RECEIPT, cose.REFUSAL):
        return world.BEN.signer
    return world.ASHA.signer if doc_type == cose.PAYMENT else world.ISSUER.signer


def kind_of(code: str) -> str:
    """Return what a code is, empty if it is none."""
    try:
        message = parse_code(code)
    except Rejected:
        return ""
    return type(getattr(message, "body", message)).__name__


def cases(*, seed: int, count: int) -> Iterator[Vector]:
    """Return the cases of a seed, each with a number."""
    mutator = VectorMutator(seed)
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
