"""Two phones meet with no network: what each person sees, and what is stored."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.phones import Phone, pay_offline

from tikicash.chain import LIMITS
from tikicash.messages import Bundle, parse_code


def test_a_payment_by_pictures_is_stored_on_both_phones(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    ben.does("offline", "request", "12.50", "--png", str(tmp_path / "request.png"))
    paid = asha.does(
        "offline", "pay", str(tmp_path / "request.png"), "--yes", "--memo", "two coffees",
        "--png", str(tmp_path / "payment.png"),
    )  # fmt: skip
    taken = ben.does("offline", "accept", str(tmp_path / "payment.png"), "--png", str(tmp_path / "receipt.png"))
    answered = asha.does("offline", "accept", str(tmp_path / "receipt.png"))
    assert (taken["payer_name"], taken["memo"], taken["amount_minor"]) == ("asha", "two coffees", 1250)
    assert (taken["final_minor"], taken["protected_minor"], taken["at_risk_minor"]) == (0, 1250, 0)
    assert answered["payment_id"] == paid["payment_id"] == taken["payment_id"]
    assert answered["answer"] == "received"
    assert (asha.offline_balance(), ben.offline_balance()) == (3750, 1250)


def test_a_code_comes_by_standard_input_or_a_text_file(asha: Phone, ben: Phone, tmp_path: Path) -> None:
    asked = ben.does("offline", "request", "1")
    paid = asha.does("offline", "pay", "-", "--yes", stdin=asked["code"] + "\n")
    (tmp_path / "payment.txt").write_text(paid["code"] + "\r\n")
    assert ben.does("offline", "accept", str(tmp_path / "payment.txt"))["amount_minor"] == 100


def test_money_received_offline_is_paid_on_at_once(asha: Phone, ben: Phone, chi: Phone) -> None:
    pay_offline(asha, ben, "12.50")
    taken = pay_offline(ben, chi, "10.00", "--memo", "rice")
    assert (taken["payer_name"], taken["protected_minor"]) == ("ben", 1000)
    bundle = parse_code(taken["code"])
    assert isinstance(bundle, Bundle)
    assert [opening.text for opening in bundle.openings] == ["ben", "rice"]  # Asha's name stays with Ben
    assert (asha.offline_balance(), ben.offline_balance(), chi.offline_balance()) == (3750, 250, 1000)


def test_money_paid_back_can_be_spent_again_and_nobody_is_named(asha: Phone, ben: Phone, chi: Phone) -> None:
    pay_offline(asha, ben, "20.00")
    pay_offline(ben, asha, "20.00")
    pay_offline(asha, chi, "20.00")
    pay_offline(asha, chi, "15.00")
    assert (asha.offline_balance(), ben.offline_balance()) == (1500, 0)
    held = chi.does("status")["local"]
    assert (held["spendable_minor"], held["resting_minor"]) == (1500, 2000)  # the second part went through three hands


def test_a_fourth_hand_is_refused_on_the_payers_own_phone(
    asha: Phone, ben: Phone, chi: Phone, phone: Callable[[str], Phone]
) -> None:
    dan, eve = phone("dan").install(), phone("eve").install()
    pay_offline(asha, ben, "5.00")
    pay_offline(ben, chi, "5.00")
    pay_offline(chi, dan, "5.00")
    asked = eve.does("offline", "request", "5.00")
    assert dan.refused("offline", "pay", asked["code"], "--yes") == "not_enough_offline_money"
    assert dan.does("status")["local"]["resting_minor"] == 500


def test_showing_again_shows_the_same_bytes(asha: Phone, ben: Phone) -> None:
    asked = ben.does("offline", "request", "3.00")
    paid = asha.does("offline", "pay", asked["code"], "--yes")
    again = asha.does("offline", "pay", asked["code"])  # the same request is answered once, and needs no yes
    assert (again["code"], again["shown_again"]) == (paid["code"], True)
    assert asha.does("offline", "show", paid["payment_id"][:8])["code"] == paid["code"]
    taken = ben.does("offline", "accept", paid["code"])
    assert ben.does("offline", "accept", paid["code"])["receipt_code"] == taken["receipt_code"]
    assert ben.does("offline", "show", paid["payment_id"])["receipt_code"] == taken["receipt_code"]
    assert ben.offline_balance() == 300


def test_the_list_says_what_became_of_everything(asha: Phone, ben: Phone) -> None:
    pay_offline(asha, ben, "3.00", "--memo", "tea")
    ben.does("offline", "request", "4.00")
    kinds = {item["kind"]: item for item in ben.does("offline", "show")["items"]}
    assert set(kinds) == {"received", "request"}
    assert (kinds["received"]["state"], kinds["request"]["state"]) == ("waiting", "open")
    (made,) = asha.does("offline", "show")["items"]
    assert (made["kind"], made["who"], made["memo"], made["state"]) == ("made", "ben", "tea", "received")
    shown = ben.run("offline", "show")
    assert "received from asha · tea" in shown.stdout
    assert "waiting for a payment" in shown.stdout


def test_part_at_risk_is_said_and_asked_before_the_receipt(phone: Callable[[str], Phone], ben: Phone) -> None:
    asha = phone("asha").install(loaded=5000, cover=500)
    paid = asha.does("offline", "pay", ben.does("offline", "request", "12.50")["code"], "--yes")
    no = ben.run("offline", "accept", paid["code"], stdin="n\n")
    assert no.exit_code == 1
    assert "PROTECTED  5.00 SGD" in no.stdout
    assert "AT YOUR RISK  7.50 SGD" in no.stdout
    assert "not_confirmed" in no.stderr
    assert ben.offline_balance() == 0
    yes = ben.run("offline", "accept", paid["code"], stdin="y\n")
    assert yes.exit_code == 0
    assert "Let the payer scan your receipt." in yes.stdout
    assert ben.offline_balance() == 1250


def test_a_script_that_does_not_say_yes_takes_no_risk(phone: Callable[[str], Phone], asha: Phone) -> None:
    ben = phone("ben").install(certified=False)
    paid = asha.does("offline", "pay", ben.does("offline", "request", "2")["code"], "--yes")
    result = ben.run("--json", "offline", "accept", paid["code"])
    assert json.loads(result.stdout)["code"] == "not_confirmed"
    assert json.loads(result.stdout)["at_risk_minor"] == 200
    assert ben.offline_balance() == 0


def test_locked_money_is_final_with_no_network(phone: Callable[[str], Phone], ben: Phone) -> None:
    with ben.wallet() as wallet:
        key = wallet.signer().public_key
    asha = phone("asha").install(loaded=5000, audience_key=key)
    assert pay_offline(asha, ben, "7.00")["final_minor"] == 700
    shown = ben.run("offline", "accept", asha.does("offline", "show")["items"][0]["code"]).stdout
    assert "FINAL  7.00 SGD" in shown
    assert "You can pay with it offline" not in shown
    assert "7.00 SGD that this phone was paid stays with you" in " ".join(ben.run("balance").stdout.split())


def test_an_unregistered_payee_takes_everything_at_his_own_risk(phone: Callable[[str], Phone], asha: Phone) -> None:
    ben = phone("ben").install(certified=False)
    assert pay_offline(asha, ben, "2.00")["at_risk_minor"] == 200


def test_the_payee_refuses_and_the_payer_learns_it(asha: Phone, ben: Phone) -> None:
    paid = asha.does("offline", "pay", ben.does("offline", "request", "5")["code"], "--yes")
    refused = ben.does("offline", "refuse", paid["code"], "--reason", "wrong_thing")
    assert ben.does("offline", "refuse", paid["code"])["code"] == refused["code"]
    assert asha.does("offline", "accept", refused["code"])["answer"] == "refused"
    assert asha.does("offline", "accept", refused["code"])["answer"] == "refused"
    assert ben.refused("offline", "accept", paid["code"]) == "already_refused"
    assert (asha.offline_balance(), ben.offline_balance()) == (4500, 0)
    assert "refused your 5.00 SGD" in asha.run("offline", "accept", refused["code"]).stdout


def test_an_accepted_payment_is_not_refused_any_more(asha: Phone, ben: Phone) -> None:
    taken = pay_offline(asha, ben, "5")
    assert ben.refused("offline", "refuse", taken["code"]) == "already_accepted"


def test_a_payment_that_nobody_scanned_is_noted_as_not_taken(asha: Phone, ben: Phone) -> None:
    paid = asha.does("offline", "pay", ben.does("offline", "request", "5")["code"], "--yes")
    assert asha.does("status")["local"]["unbrought"] == 1
    assert asha.does("offline", "not-taken", paid["payment_id"])["answer"] == "not_taken"
    assert asha.does("offline", "not-taken", paid["payment_id"])["answer"] == "not_taken"
    assert asha.does("status")["local"]["unbrought"] == 0
    # The payee had it after all: his receipt is the truth, and the payment is brought.
    taken = ben.does("offline", "accept", paid["code"])
    assert asha.does("offline", "accept", taken["receipt_code"])["answer"] == "received"
    assert asha.does("status")["local"]["unbrought"] == 1
    assert asha.refused("offline", "not-taken", paid["payment_id"]) == "already_answered"


def test_offline_money_is_handed_back_as_a_stored_promise(asha: Phone, ben: Phone) -> None:
    pay_offline(asha, ben, "20.00")
    (made,) = ben.does("unload", "5.00")["items"]
    assert (made["amount_minor"], ben.offline_balance()) == (500, 1500)
    assert sum(item["amount_minor"] for item in ben.does("unload")["items"]) == 1500
    assert ben.offline_balance() == 0
    assert ben.does("status")["local"]["unbrought"] == 3
    assert ben.refused("unload") == "nothing_to_hand_back"
    assert asha.refused("unload", "31") == "not_enough_offline_money"
    assert "30.00 SGD is signed back to the operator" in asha.run("unload").stdout


def test_every_parent_of_handed_back_money_gets_a_payment_of_its_own(asha: Phone, ben: Phone) -> None:
    for amount in ("1.00", "2.00", "3.00"):
        pay_offline(asha, ben, amount)
    assert sorted(item["amount_minor"] for item in ben.does("unload")["items"]) == [100, 200, 300]
    assert sum(item["amount_minor"] for item in asha.does("unload")["items"]) == 4400


def test_money_as_wide_as_a_code_can_carry_still_goes_home(asha: Phone, ben: Phone, chi: Phone) -> None:
    asha.does("unload")
    with asha.wallet() as wallet:
        for _ in range(6):
            asha.operator.load(wallet, 100)
    pay_offline(asha, ben, "6.00")
    pay_offline(ben, chi, "6.00")
    (home,) = chi.does("unload")["items"]
    bundle = parse_code(home["code"])
    assert isinstance(bundle, Bundle)
    assert home["amount_minor"] == 600
    assert len(bundle.to_bytes()) > LIMITS.bytes_max


def test_a_phone_that_is_not_registered_hands_back_only_after_a_sync(
    phone: Callable[[str], Phone], asha: Phone
) -> None:
    ben = phone("ben").install(certified=False)
    pay_offline(asha, ben, "5")
    assert ben.refused("unload") == "certificate_missing"
    with ben.wallet() as wallet:
        ben.operator.certify(wallet)
    assert ben.does("unload")["items"][0]["amount_minor"] == 500


def test_the_payer_sees_whom_he_pays_and_can_say_no(asha: Phone, ben: Phone, phone: Callable[[str], Phone]) -> None:
    asked = ben.does("offline", "request", "12.50")
    result = asha.run("offline", "pay", asked["code"], stdin="n\n")
    assert result.exit_code == 1
    assert "12.50 SGD" in result.stderr
    assert "not_confirmed" in result.stderr
    assert asha.does("offline", "show")["items"] == []
    stranger = phone("stranger").install(certified=False)
    shown = asha.run("offline", "pay", stranger.does("offline", "request", "1")["code"], stdin="n\n")
    assert "a name the operator didn't certify" in " ".join(shown.stderr.split())


def test_nothing_is_protected_when_the_operator_was_not_heard_for_three_days(asha: Phone, ben: Phone) -> None:
    ben.clock.now += 73 * 3600
    assert pay_offline(asha, ben, "1")["at_risk_minor"] == 100


def test_a_clock_turned_back_does_not_make_old_money_young(asha: Phone, ben: Phone) -> None:
    paid = asha.does("offline", "pay", ben.does("offline", "request", "1")["code"], "--yes")
    with ben.wallet() as wallet:
        wallet.store.remember("newest_signed_time", str(ben.clock.now + 8 * 24 * 3600))
    assert ben.refused("offline", "accept", paid["code"], "--yes") == "spend_by_passed"
