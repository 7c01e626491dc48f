"""The vectors are the standard in examples: they hold here, they are complete, and the grammar agrees with them."""

import json
import re
from typing import Any

import cbor2
import pycddl
import pytest

from protocol import grammar, make_vectors
from protocol.runner import run
from tikicash.encoding import from_text
from tikicash.errors import SENTENCES, Rejected
from tikicash.messages import parse

FILES = sorted(make_vectors.FOLDER.glob("*.json"))
VECTORS = [vector for file in FILES for vector in json.loads(file.read_text())]
ERRORS_MD = make_vectors.ROOT / "protocol" / "spec" / "errors.md"


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_the_implementation_says_what_the_vector_says(vector):
    assert run(vector) == vector["expect"]


def test_the_vectors_are_what_the_stories_make():
    written = {file.name: file.read_text() for file in FILES}
    assert written == make_vectors.files()


def test_every_code_has_a_vector_and_every_vector_a_reason():
    codes = {vector["expect"]["reject"] for vector in VECTORS if "reject" in vector["expect"]}
    assert codes == set(SENTENCES)
    assert all(len(vector["why"]) > 8 for vector in VECTORS)
    assert len({vector["id"] for vector in VECTORS}) == len(VECTORS)


def test_the_list_of_codes_in_the_standard_is_the_list_in_the_code():
    rows = re.findall(r"^\| `([a-z_0-9]+)` \| (.+?) \|", ERRORS_MD.read_text(), re.MULTILINE)
    assert dict(rows) == SENTENCES


def test_every_sentence_says_what_is_wrong_and_what_to_do():
    assert all(len(re.findall(r"[.;]", sentence)) >= 2 or ", so " in sentence for sentence in SENTENCES.values())


def codes_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.startswith("TK1:") else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [code for item in items for code in codes_in(item)]


def test_the_grammar_takes_every_message_that_the_reader_takes():
    taken = 0
    for code in {code for vector in VECTORS for code in codes_in([vector["input"], vector["context"]])}:
        try:
            data = from_text(code)
            parse(data)
        except Rejected:
            continue
        grammar.check(data)
        taken += 1
    assert taken > 100


# What CDDL cannot say: dates in order, hidden characters, ascending lists, units up to 2^53-1, points on the curve.
# And what pycddl does not check: .regexp inside an array.
BEYOND_THE_GRAMMAR = re.compile("date|turns|ascend|2\\^53|ends after|on no point|uncompressed|a reason")


def test_the_grammar_refuses_every_message_with_a_wrong_field():
    refused = 0
    for vector in VECTORS:
        wrong = vector["expect"].get("reject") in ("bad_field", "bad_key", "bad_header", "unknown_document")
        if wrong and not BEYOND_THE_GRAMMAR.search(vector["why"]):
            data = from_text(vector["input"])
            assert cbor2.loads(data) is not None
            with pytest.raises(pycddl.ValidationError):
                grammar.check(data)
            refused += 1
    assert refused > 20
