"""Offline money against the real server: load, meet with no network, sync in any order, and lose the connection."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.operator_of_tests import signer_of
from tests.cli.phones import Phone, pay_offline
from tests.cli.server_of_tests import RunningServer, Tunnel

from tikiwallet.cli import sync as sync_module


def minor(view: list[dict[str, int]]) -> int:
    return sum(item["amount_minor"] for item in view)


def test_money_is_loaded_paid_offline_and_settled(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    assert "15.00 SGD is on this phone now" in asha.run("load", "15").stdout
    assert asha.offline_balance() == 1500
    taken = pay_offline(asha, ben, "8.50", "--memo", "rice")
    assert taken["payer_name"] == "asha"
    assert taken["protected_minor"] + taken["at_risk_minor"] == 850
    assert "counted below" not in ben.run("balance").stdout  # the operator doesn't know of it yet
    settled = ben.does("sync")
    assert (settled["recorded"], settled["known"], settled["rejected"]) == (1, 0, [])
    again = asha.does("sync")
    assert (again["recorded"], again["known"]) == (0, 1)  # Ben was first; both copies are the same claim
    view = ben.does("balance")["view"]
    assert minor(view["final"]) + minor(view["provisional"]) == 850
    told = " ".join(ben.run("balance").stdout.split())
    assert "8.50 SGD ready to pay with no network; 8.50 SGD of it received, and counted below as well" in told
    assert "counted below" not in asha.run("balance").stdout
    assert "In step with the operator. Nothing had to be brought." in ben.run("sync").stdout
    assert {item["state"] for item in asha.does("offline", "show")["items"]} == {"received"}
    assert {item["state"] for item in ben.does("offline", "show")["items"]} == {"settled"}


def test_a_refund_is_settled_whoever_brings_it(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    asha.does("load", "15")
    sale = pay_offline(asha, ben, "8.50")["payment_id"]
    shown = ben.does("offline", "refund", sale, "2.50", "--yes")
    taken = asha.does("offline", "accept", shown["code"], "--yes")
    ben.does("offline", "accept", taken["receipt_code"])
    assert [ben.does("sync")["rejected"], asha.does("sync")["rejected"]] == [[], []]
    assert (asha.does("sync")["recorded"], asha.offline_balance(), ben.offline_balance()) == (0, 900, 600)
    view = ben.does("balance")["view"]
    assert minor(view["final"]) + minor(view["provisional"]) == 600
    view = asha.does("balance")["view"]
    assert minor(view["offline"]) + minor(view["final"]) + minor(view["provisional"]) == 900


def test_an_offline_balance_is_kept_up_by_sync(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    kept = asha.run("sync", "--keep", "20")
    assert "20.00 SGD more is on this phone now." in kept.stdout
    pay_offline(asha, ben, "5")
    assert asha.does("sync", "--keep", "20")["loaded_minor"] == 500
    assert asha.does("sync", "--keep", "20")["loaded_minor"] == 0
    assert asha.offline_balance() == 2000


def test_what_cannot_be_loaded_says_why_and_the_rest_of_the_sync_stands(people: Callable[..., list[Phone]]) -> None:
    (asha,) = people("asha")
    assert asha.refused("load", "500") in {"voucher_above_limit", "insufficient_funds"}
    assert asha.refused("load", "0") == "amount_invalid"
    done = asha.does("sync", "--keep", "500")
    assert done["loading"]["state"] == "refused"
    assert asha.run("sync", "--keep", "500").exit_code == 0


def test_offline_money_comes_back_online(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    asha.does("load", "20")
    pay_offline(asha, ben, "5")
    assert minor(asha.does("balance")["view"]["online"]) == 8000
    assert "15.00 SGD is signed back to the operator" in asha.run("unload").stdout
    assert asha.does("sync")["recorded"] >= 1
    assert asha.offline_balance() == 0
    assert asha.does("status")["local"]["unbrought"] == 0


def test_a_sync_that_is_cut_goes_on_where_it_was(
    people: Callable[..., list[Phone]], server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_module, "PORTION", 2)
    asha, ben = people("asha", "ben")
    asha.does("load", "20")
    for _ in range(5):
        pay_offline(asha, ben, "1")
    tunnel = Tunnel(server)
    ben.env["TIKI_SERVER"] = tunnel.url
    tunnel.lose_after = 2  # the first portion arrives and is answered, the answer of the second is lost
    assert ben.refused("sync", status=3) == "server_unreachable"
    assert ben.does("status")["local"]["unbrought"] == 3
    done = ben.does("sync")
    assert (done["recorded"], done["known"], done["rejected"]) == (1, 2, [])
    assert ben.does("status")["local"]["unbrought"] == 0
    tunnel.close()


def test_the_first_payments_are_told_apart_and_the_others_counted(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    asha.does("load", "20")
    for _ in range(14):
        pay_offline(asha, ben, "0.10")
    told = ben.run("sync").stdout
    assert told.count("·") == 13
    assert "2 more: see all with --json." in told
    assert len(ben.does("balance")["view"]["lines"]) == 14


@pytest.mark.parametrize("days", [400, -400], ids=["a year ahead", "a year behind"])
def test_a_sync_with_a_wrong_clock_loses_nothing(people: Callable[..., list[Phone]], days: int) -> None:
    asha, ben = people("asha", "ben")
    asha.does("load", "20")
    pay_offline(asha, ben, "5")
    for person in (asha, ben):
        person.clock.now += days * 24 * 3600  # one clock for both: it is wrong once, then right again
        assert person.does("sync")["rejected"] == []
        person.clock.now -= days * 24 * 3600
    assert (asha.offline_balance(), ben.offline_balance()) == (1500, 500)
    assert pay_offline(asha, ben, "10")["amount_minor"] == 1000
    assert ben.does("sync")["rejected"] == []


def test_a_refused_payment_is_not_claimed(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    asha.does("load", "20")
    paid = asha.does("offline", "pay", ben.does("offline", "request", "5")["code"], "--yes")
    ben.does("offline", "refuse", paid["code"])
    done = ben.does("sync")
    assert (done["recorded"], done["rejected"]) == (2, [])
    assert minor(done["money"]["final"]) + minor(done["money"]["provisional"]) == 0


def test_a_wallet_put_back_goes_on_with_a_new_key(people: Callable[..., list[Phone]], tmp_path: Path) -> None:
    asha, ben = people("asha", "ben")
    asha.does("load", "20")
    pay_offline(ben_pays := asha, ben, "1")
    shutil.copytree(asha.folder, tmp_path / "backup")
    pay_offline(ben_pays, ben, "1")
    shutil.rmtree(asha.folder)
    shutil.copytree(tmp_path / "backup", asha.folder)
    done = asha.does("sync")
    assert [notice["code"] for notice in done["notices"]] == ["wallet_restored"]
    assert asha.offline_balance() == 0  # the old key's voucher came again, and isn't taken
    states = [item["retired_at"] is not None for item in asha.does("phones")["items"]]
    assert sorted(states) == [False, True]
    assert "retired" in asha.run("phones").stdout
    asha.does("load", "10")
    assert pay_offline(asha, ben, "3")["amount_minor"] == 300
    assert ben.does("sync")["rejected"] == []


def test_a_lost_phone_is_retired_from_another_one(
    people: Callable[..., list[Phone]], phone: Callable[[str], Phone], server: RunningServer
) -> None:
    (asha,) = people("asha")
    asha.does("load", "10")
    second = phone("second")
    second.env |= asha.env
    server.sign_in(second, asha.does("whoami")["phone"])
    second.does("sync")
    lost = next(
        item for item in second.does("phones")["items"] if item["device_id"] == asha.does("status")["device_id"]
    )
    assert second.refused("phones", "retire", "ffff") == "phone_unknown"
    assert second.refused("phones", "retire", lost["device_id"], stdin="n\n") == "not_confirmed"
    second.does("phones", "retire", lost["device_id"], "--yes")
    assert second.does("sync")["rejected"] == []
    done = asha.does("sync")
    assert [notice["code"] for notice in done["notices"]] == ["phone_retired"]
    assert asha.offline_balance() == 0
    asha.does("sync")
    asha.does("load", "5")
    assert asha.offline_balance() == 500


def test_a_phone_retires_itself(people: Callable[..., list[Phone]]) -> None:
    (asha,) = people("asha")
    own = asha.does("status")["device_id"]
    assert "is retired" in asha.run("phones", "retire", own[:8], "--yes").stdout
    assert asha.does("status")["retired_keys"] == 1
    assert len(asha.does("phones")["items"]) == 1


def test_a_server_of_another_network_is_not_believed(people: Callable[..., list[Phone]]) -> None:
    (asha,) = people("asha")
    with asha.wallet() as wallet:
        pinned = wallet.store.setting("root_key")
        wallet.store.remember("root_key", signer_of("another operator").public_key.hex())
    assert asha.refused("sync") == "network_changed"
    with asha.wallet() as wallet:
        wallet.store.remember("root_key", pinned)
    assert asha.does("sync")["rejected"] == []


def test_a_balance_without_the_server_says_as_of_when(people: Callable[..., list[Phone]]) -> None:
    (asha,) = people("asha")
    asha.does("load", "20")
    shown = asha.run("balance")
    assert "online" in shown.stdout
    assert "20.00 SGD  ready to pay with no network" in shown.stdout
    away = asha.run("balance", "--server", "http://127.0.0.1:9")
    assert away.exit_code == 0
    assert "80.00 SGD" in away.stdout
    assert "as of" in away.stdout
    assert "server_unreachable" in away.stderr


def test_a_loading_whose_answer_was_lost_loads_once(people: Callable[..., list[Phone]], server: RunningServer) -> None:
    (asha,) = people("asha")
    tunnel = Tunnel(server)
    asha.env["TIKI_SERVER"] = tunnel.url
    tunnel.lose_after = 1
    assert asha.refused("load", "10", status=3) == "server_unreachable"
    asha.does("load", "10")
    assert asha.offline_balance() == 1000
    assert minor(asha.does("balance")["view"]["online"]) == 9000
    tunnel.close()


def test_a_double_spend_comes_out_whoever_syncs_first(
    people: Callable[..., list[Phone]], cheat: Callable[..., None]
) -> None:
    mallory, ben, chi = people("mallory", "ben", "chi")
    mallory.does("load", "10")
    cheat(mallory, ben, chi)
    for person in (chi, ben):
        assert person.does("sync")["rejected"] == []
    assert mallory.refused("load", "1") == "loading_stopped"
