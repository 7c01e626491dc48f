"""Money for one till: loaded with its request, final there with no network, and never anybody else's."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.phones import Phone, pay_offline
from tests.cli.server_of_tests import RunningServer


@pytest.fixture
def till(server: RunningServer, phone: Callable[[str], Phone]) -> Phone:
    """Ben's till: registered as receive-only, and has synced once."""
    ben = server.sign_up(phone("ben"), "--receive-only")
    ben.does("sync")
    return ben


def online_minor(phone: Phone) -> int:
    (balance,) = phone.does("balance")["view"]["online"]
    minor: int = balance["amount_minor"]
    return minor


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_till_is_paid_for_sure_by_pictures_with_no_network_and_has_it_online_at_once(
    people: Callable[..., list[Phone]], till: Phone, tmp_path: Path
) -> None:
    (asha,) = people("asha")
    till.does("offline", "request", "1", "--png", str(tmp_path / "till.png"))
    loaded = asha.run("load", "20", "--for", str(tmp_path / "till.png"), "--yes")
    assert "20.00 SGD is on this phone now, only for ben's phone." in loaded.stdout
    assert "20.00 SGD only for ben's phone, until " in words(asha.run("balance").stdout)
    assert "locked 20.00 SGD only for ben's phone, until " in words(asha.run("status").stdout)
    local = asha.does("status")["local"]
    assert (local["spendable_minor"], local["resting_minor"]) == (0, 0)
    assert [(item["amount_minor"], item["payee_name"]) for item in local["locked"]] == [(2000, "ben")]

    till.does("offline", "request", "9.50", "--png", str(tmp_path / "request.png"))
    asha.does("offline", "pay", str(tmp_path / "request.png"), "--yes", "--png", str(tmp_path / "payment.png"))
    taken = till.run("offline", "accept", str(tmp_path / "payment.png"))
    assert taken.exit_code == 0  # a script that takes no risk takes this
    assert "FINAL  9.50 SGD" in taken.stdout
    assert "Bring it to the operator by " in taken.stdout
    till.does("sync")
    assert online_minor(till) == 950
    (left,) = asha.does("status")["local"]["locked"]
    assert left["amount_minor"] == 1050
    assert asha.does("unload")["items"][0]["amount_minor"] == 1050
    assert asha.does("status")["local"]["locked"] == []


def test_a_payer_restored_from_a_copy_is_refused_and_the_till_loses_nothing(
    people: Callable[..., list[Phone]], till: Phone, tmp_path: Path
) -> None:
    (asha,) = people("asha")
    asha.does("load", "20", "--for", till.does("offline", "request", "1")["code"], "--yes")
    shutil.copytree(asha.home, tmp_path / "image")
    assert pay_offline(asha, till, "10")["final_minor"] == 1000
    shutil.rmtree(asha.home)  # an image of the whole machine: it fools both places
    shutil.copytree(tmp_path / "image", asha.home)
    paid = asha.does("offline", "pay", till.does("offline", "request", "10")["code"], "--yes")
    assert till.refused("offline", "accept", paid["code"], "--yes") == "already_held"
    assert till.does("unload")["items"][0]["amount_minor"] == 1000
    assert till.refused("offline", "accept", paid["code"], "--yes") == "spent_twice"
    # No goods for it: the till says so with its signature, and what was in it comes home to Asha.
    refused = till.does("offline", "refuse", paid["code"])
    assert asha.does("offline", "accept", refused["code"])["answer"] == "refused"
    till.does("sync")
    asha.does("sync")
    assert online_minor(till) == 1000
    assert online_minor(asha) == 8000
    assert asha.does("load", "5")["loading"]["state"] == "open"  # nobody was named: she may load


def test_locked_money_goes_first_and_is_no_money_for_anybody_else(phone: Callable[[str], Phone], ben: Phone) -> None:
    with ben.wallet() as wallet:
        key = wallet.signer().public_key
    asha, chi = phone("asha").install(loaded=1000, audience_key=key, cover=0), phone("chi").install()
    with asha.wallet() as wallet:
        asha.operator.load(wallet, 500)
    assert asha.refused("offline", "pay", chi.does("offline", "request", "6")["code"], "--yes") == (
        "not_enough_offline_money"
    )
    assert pay_offline(asha, ben, "3")["final_minor"] == 300
    mixed = pay_offline(asha, ben, "9")
    assert (mixed["final_minor"], mixed["protected_minor"], mixed["at_risk_minor"]) == (700, 200, 0)
    local = ben.does("status")["local"]
    assert (local["spendable_minor"], local["kept_minor"], local["resting_minor"]) == (200, 1000, 0)
    assert pay_offline(asha, chi, "3")["protected_minor"] == 300


def test_money_is_locked_only_to_a_request_that_the_payer_agrees_to(
    people: Callable[..., list[Phone]], server: RunningServer, phone: Callable[[str], Phone]
) -> None:
    asha, ben = people("asha", "ben")
    asked = ben.does("offline", "request", "1")["code"]
    no = asha.run("load", "20", "--for", asked, stdin="n\n")
    assert no.exit_code == 1
    assert "Lock 20.00 SGD to the phone of ben?" in no.stderr
    assert asha.refused("load", "20", "--for", asked) == "not_confirmed"
    mine = asha.does("offline", "request", "1")["code"]
    assert asha.refused("load", "20", "--for", mine, "--yes") == "payee_is_you"
    asha.does("load", "5")
    paid = asha.does("offline", "pay", asked, "--yes")["code"]
    assert asha.refused("load", "20", "--for", paid, "--yes") == "wrong_kind_of_code"
    assert asha.refused("load", "20", "--for", "nonsense", "--yes") == "not_a_code"
    assert online_minor(asha) == 9500
    ben.does("phones", "replace", "--yes")
    fresh = ben.does("offline", "request", "1")["code"]
    unknown = asha.run("load", "20", "--for", fresh, "--yes")
    assert "audience_unknown" in unknown.stderr
    assert "the operator didn't certify" in words(asha.run("load", "20", "--for", fresh, stdin="n\n").stderr)
    ben.does("sync")
    assert asha.refused("load", "20", "--for", asked, "--yes") == "audience_blocked"  # of the key that ben gave up
    assert asha.does("load", "20", "--for", "-", "--yes", stdin=fresh)["loading"]["locked_to"] == "ben"
    assert online_minor(asha) == 7500


def test_a_phone_is_registered_as_receive_only_once_for_each_key(
    people: Callable[..., list[Phone]], till: Phone
) -> None:
    (device,) = till.does("phones")["items"]
    assert device["receive_only"] is True
    assert "this phone, only receives" in words(till.run("phones").stdout)
    assert till.refused("load", "5") == "device_receive_only"
    number = till.does("whoami")["phone"]
    assert till.refused("login", number, "--no-receive-only") == "phone_registered_otherwise"
    till.does("login", number, "--receive-only")
    till.does("phones", "replace", "--yes")  # stays what it was
    till.does("sync")
    assert [item["receive_only"] for item in till.does("phones")["items"]] == [True, True]
    till.does("phones", "replace", "--yes", "--no-receive-only")
    till.does("sync")
    assert [item["receive_only"] for item in till.does("phones")["items"]] == [True, True, False]
    (asha,) = people("asha")
    assert asha.refused("login", asha.does("whoami")["phone"], "--receive-only") == "phone_registered_otherwise"
