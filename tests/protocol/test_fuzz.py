"""Broken codes, five thousand of them each time: `make fuzz` goes on to a million."""

import json

import pytest

from protocol import fuzz
from protocol.fuzz import BUNDLE_VERIFICATIONS_MAX, PROOF_VERIFICATIONS_MAX, Broken, Found, Fuzz, Subject, subjects
from tikicash.encoding import to_text
from tikicash.errors import SENTENCES

SUBJECTS = {subject.name: subject for subject in subjects()}


def test_no_broken_code_is_believed_or_costs_more_than_its_limit():
    found = Fuzz(20_260_105).run(range(5000))
    fuzz.check_memory(found)
    assert found.verdicts.total() == 5000
    assert set(found.verdicts) - {"accepted"} <= set(SENTENCES)
    # The mutations reach deep into the rules, and the signatures too.
    assert len(found.verdicts) > 24
    assert found.verdicts["payment_signature_wrong"] + found.verdicts["operator_signature_wrong"] > 300
    assert 0 < found.verifications_most <= PROOF_VERIFICATIONS_MAX


def test_every_case_comes_again_from_its_seed_and_number():
    one, other = Fuzz(7), Fuzz(7)
    other.case(5)
    assert [one.case(number) for number in range(40)] == [other.case(number) for number in range(40)]
    assert Fuzz(8).case(3) != one.case(3)


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=list(SUBJECTS))
def test_what_is_broken_was_good_before(subject):
    found = Found()
    assert fuzz.judge(subject, subject.message.to_bytes(), found) == "accepted"
    signed = len(list(fuzz.signed_in(subject.message)))
    assert found.verifications == signed <= BUNDLE_VERIFICATIONS_MAX


@pytest.mark.parametrize("example", json.loads(fuzz.EXAMPLES.read_text()), ids=lambda example: example["why"])
def test_a_code_that_was_worth_keeping_is_judged_as_it_should_be(example):
    verdict = fuzz.judge(SUBJECTS[example["subject"]], example["input"], Found())
    assert example["expect"] in (verdict, None)


def believes_every_signature(message, verify):
    return SUBJECTS["depth 1"].check(message, lambda *_: True)


def stumbles(message, verify):
    raise IndexError("a list that somebody made too short")


@pytest.mark.parametrize(("check", "says"), [(believes_every_signature, "accepted"), (stumbles, "crashed: Index")])
def test_a_judge_that_breaks_a_promise_is_caught_and_the_case_is_kept(check, says, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "EXAMPLES", tmp_path / "examples.json")
    fuzz.EXAMPLES.write_text("[]")
    weak = Subject(name="depth 1", message=SUBJECTS["depth 1"].message, check=check)
    monkeypatch.setattr(fuzz, "subjects", lambda: (weak,))
    with pytest.raises(Broken, match=says) as broken:
        Fuzz(1).run(range(2000))
    assert "--seed 1 --case " in str(broken.value)
    (kept,) = json.loads(fuzz.EXAMPLES.read_text())
    assert kept["subject"] == "depth 1"
    assert kept["input"] in str(broken.value)


def test_verifying_too_often_or_too_early_is_caught():
    good = SUBJECTS["depth 1"]

    def checks_first(message, verify):
        for item in message.documents * 9:
            verify(fuzz.ASHA.public, item.message, item.signature)
        return good.check(message, verify)

    busy = Subject(name="depth 1", message=good.message, check=checks_first)
    with pytest.raises(Broken, match="20 verifications"):
        fuzz.judge(busy, good.message.to_bytes(), Found())
    hostile = Subject(name="depth 1", message=good.message, check=checks_first, verifications_max=10**6)
    many = fuzz.replace(good.message, documents=good.message.documents * 7)
    with pytest.raises(Broken, match="verifications before too_many_documents"):
        fuzz.judge(hostile, to_text(many.to_bytes()), Found())


def test_memory_that_grows_is_caught():
    with pytest.raises(Broken, match="memory grew"):
        fuzz.check_memory(Found(blocks=[100, 90_000], resident_bytes=[10**7, 10**7]))
    with pytest.raises(Broken, match="memory grew"):
        fuzz.check_memory(Found(blocks=[100, 100], resident_bytes=[10**7, 10**8]))
