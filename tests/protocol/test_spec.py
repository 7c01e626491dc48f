"""The chapters say what the code does: their codes exist, and their bytes are those of the vectors."""

import re

from protocol.make_vectors import ROOT
from protocol.world import chained
from tikicash import cose
from tikicash.errors import SENTENCES, Rejected
from tikicash.messages import parse_code

SPEC = ROOT / "protocol" / "spec"
CHAPTERS = {file.name: file.read_text() for file in SPEC.glob("*.md")}


def test_every_code_is_explained_in_a_chapter():
    text = "".join(chapter for name, chapter in CHAPTERS.items() if name != "errors.md")
    assert {code for code in SENTENCES if f"`{code}`" not in text} == set()


def test_the_worked_example_is_real():
    world = chained()
    (code,) = re.findall(r"^TK1:.+$", CHAPTERS["01-encoding.md"], re.MULTILINE)
    assert parse_code(code) == world.bundle(1)
    example = CHAPTERS["01-encoding.md"].split("```")[1]
    dump = "".join(re.findall(r"^ *((?:[0-9a-f]{2,} ?)+)(?:  |$)", example, re.MULTILINE)).replace(" ", "")
    assert bytes.fromhex(dump) == world.to_ben.payload
    assert world.to_ben.id.hex() in CHAPTERS["01-encoding.md"]


def test_the_chapters_list_every_external_aad():
    assert all(f"`{aad.decode()}`" in CHAPTERS["01-encoding.md"] for aad in cose.EXTERNAL_AAD.values())


def test_a_refusal_carries_its_sentence_for_the_person():
    assert Rejected("spent_twice", "some detail").sentence == SENTENCES["spent_twice"]
