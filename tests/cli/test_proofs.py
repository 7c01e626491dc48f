"""A proof of a double spend is made on the cheated payee's phone and convinces a stranger, with no network anywhere."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.phones import Phone, pay_offline
from tests.processes import OPERATORS, run

from tikicash.messages import Bundle, Proof, key_id, parse_code, to_code
from tikiwallet.cli import codes

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def mallory(phone: Callable[[str], Phone]) -> Phone:
    return phone("mallory").install(loaded=900)


@pytest.fixture
def cheated(mallory: Phone, ben: Phone, chi: Phone, cheat: Callable[..., None]) -> str:
    """Mallory paid Ben and Chi 9.00 with the same money, and Chi pays Ben with hers: Ben's phone has both chains."""
    cheat(mallory, ben, chi)
    paid: str = chi.does("offline", "pay", ben.does("offline", "request", "9")["code"], "--yes")["code"]
    assert ben.refused("offline", "accept", paid, "--yes") == "already_held"
    return paid


@pytest.fixture
def stranger(phone: Callable[[str], Phone]) -> Phone:
    """Has no wallet and no account; knows the operator's root key."""
    return phone("stranger")


def proof_in(code: str) -> Proof:
    proof = parse_code(code)
    assert isinstance(proof, Proof)
    return proof


def key_of(person: Phone) -> str:
    with person.wallet() as wallet:
        return key_id(wallet.signer().public_key).hex()


def test_a_cheated_payee_proves_it_at_the_counter(
    cheated: str, mallory: Phone, ben: Phone, stranger: Phone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("a proof needs no network")

    monkeypatch.setattr("socket.socket.connect", no_network)
    (found,) = ben.does("offline", "proof", "--png", str(tmp_path))["items"]
    assert (found["key_id"], found["name"], found["amount_minor"]) == (key_of(mallory), "mallory", 900)
    root_key = ben.operator.root.public_key.hex()
    (tmp_path / "root.pub").write_text(root_key + "\n")
    for given in (root_key, str(tmp_path / "root.pub")):
        for code in (found["code"], found["picture"]):
            told = stranger.does("verify-proof", code, "--root-key", given)
            assert (told["key_id"], told["amount_minor"], told["currency"]) == (key_of(mallory), 900, "SGD")
            assert told["name"] == ""  # a proof carries no names
            assert [item["amount_minor"] for item in told["payments"]] == [900, 900]
            assert told["issued_at"] <= told["payments"][0]["paid_at"]
    assert not stranger.folder.exists()
    assert ben.does("verify-proof", "-", stdin=found["code"])["name"] == "mallory"  # Ben's wallet was told the name
    shown = " ".join(ben.run("offline", "proof").stdout.split())
    assert "mallory's phone signed the same 9.00 SGD to two people" in shown
    assert found["code"].replace(" ", "")[:60] in shown.replace(" ", "")


def test_a_proof_about_one_payment(cheated: str, ben: Phone) -> None:
    ids = {item["id"] for item in ben.does("offline", "show")["items"] if item["kind"] == "received"}
    for payment_id in ids:
        assert len(ben.does("offline", "proof", payment_id[:10])["items"]) == 1
    assert ben.refused("offline", "proof", "ffffffff") == "nothing_stored"


def test_money_that_was_handed_on_before_proves_it_too(
    mallory: Phone, ben: Phone, chi: Phone, asha: Phone, cheat: Callable[..., None]
) -> None:
    cheat(mallory, ben, chi)
    pay_offline(ben, asha, "9")
    paid = chi.does("offline", "pay", ben.does("offline", "request", "9")["code"], "--yes")["code"]
    assert ben.refused("offline", "accept", paid, "--yes") == "spent_twice"
    assert ben.does("offline", "proof")["items"][0]["key_id"] == key_of(mallory)


def test_honest_payments_prove_nothing(asha: Phone, ben: Phone, chi: Phone) -> None:
    assert asha.refused("offline", "proof") == "nothing_proved"
    pay_offline(asha, ben, "5")
    pay_offline(ben, asha, "5")
    pay_offline(asha, chi, "5")
    pay_offline(asha, ben, "4")
    for person in (asha, ben, chi):
        assert person.refused("offline", "proof") == "nothing_proved"
    payment_id = asha.does("offline", "show")["items"][0]["id"]
    assert asha.refused("offline", "proof", payment_id) == "nothing_proved"


def test_a_forged_copy_that_was_carried_accuses_nobody(cheated: str, ben: Phone, phone: Callable[[str], Phone]) -> None:
    dan = phone("dan").install()
    first, second = (item["code"] for item in ben.does("offline", "export")["items"])
    bundle = parse_code(second)
    assert isinstance(bundle, Bundle)
    forged = tuple(replace(item, signature=bytes(64)) for item in bundle.documents)
    dan.does("import", first, to_code(replace(bundle, documents=forged)), "--server", NOWHERE)
    assert dan.refused("offline", "proof") == "nothing_proved"
    dan.does("import", second, "--server", NOWHERE)  # with the true copy a courier can prove it as well
    assert len(dan.does("offline", "proof")["items"]) == 1


def test_what_convinces_nobody_says_why(cheated: str, ben: Phone, stranger: Phone, tmp_path: Path) -> None:
    code = ben.does("offline", "proof")["items"][0]["code"]
    proof, root_key = proof_in(code), ben.operator.root.public_key.hex()
    first = next(item for item in proof.documents if item.id == proof.first_id)

    def refused(spoiled: str, key: str = root_key) -> str:
        return stranger.refused("verify-proof", spoiled, "--root-key", key)

    other_root = ben.operator.issuer.public_key.hex()
    assert refused(code, other_root) == "operator_signature_wrong"
    assert "NOT PROVED" in stranger.run("verify-proof", code, "--root-key", other_root).stderr
    assert refused(to_code(replace(proof, issuer_keys=()))) == "issuer_unknown"
    assert refused(to_code(replace(proof, second_id=bytes(32)))) == "proof_payment_missing"
    forged = tuple(replace(item, signature=bytes(64)) if item is first else item for item in proof.documents)
    assert refused(to_code(replace(proof, documents=forged))) == "payment_signature_wrong"
    assert refused(cheated) == "wrong_kind_of_code"
    assert refused("TK1:") == "bad_cbor"
    for bad_key in ("00" * 33, "nonsense", str(tmp_path), root_key[:-2]):
        assert refused(code, bad_key) == "root_key_invalid"
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    assert refused(code, str(tmp_path / "noise")) == "root_key_invalid"
    assert stranger.refused("verify-proof", code) == "wallet_missing"
    with stranger.wallet(create=True):
        pass
    assert stranger.refused("verify-proof", code) == "never_online"
    (tmp_path / "taken").write_text("")
    assert ben.refused("offline", "proof", "--png", str(tmp_path / "taken" / "sub")) == "file_unwritable"


def test_the_operators_list_of_double_spends_has_pictures_that_convince(
    people: Callable[..., list[Phone]], cheat: Callable[..., None], stranger: Phone, database_url: str,
    data_dir: Path, tmp_path: Path,
) -> None:  # fmt: skip
    mallory, ben, chi = people("mallory", "ben", "chi")
    mallory.does("load", "9")
    cheat(mallory, ben, chi)
    for person in (ben, chi):
        person.does("sync")
    env = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "DATABASE_URL": database_url,
        "TIKIWALLET_DATA_DIR": str(data_dir), "LC_ALL": "C.UTF-8",
    }  # fmt: skip

    def listed(folder: Path) -> subprocess.CompletedProcess[str]:
        return run(OPERATORS, "double-spends", "--json", "--png", str(folder), environment=env)

    found = json.loads(listed(tmp_path / "proofs").stdout)
    told = stranger.does("verify-proof", found["picture"], "--root-key", str(data_dir / "keys" / "root.pub"))
    assert (told["key_id"], told["amount_minor"]) == (found["key_id"], 900)
    assert codes.read_picture(Path(found["picture"]).read_bytes()) == [found["proof"]]
    (tmp_path / "taken").write_text("")
    nowhere = listed(tmp_path / "taken" / "sub")
    assert (nowhere.returncode, "can't be written" in nowhere.stderr) == (1, True)
