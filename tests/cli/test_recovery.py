"""The command line and how one signs in: another password, another number, and no to either."""

from collections.abc import Callable

from tests.cli.phones import Phone
from tests.cli.server_of_tests import RunningServer
from tests.world import PASSWORD

FRESH = "nine blue kettles"


def test_a_person_changes_password_and_number(server: RunningServer, phone: Callable[[str], Phone]) -> None:
    asha, thief = server.sign_up(phone("asha")), phone("thief")
    number = asha.does("whoami")["phone"]
    nothing = {"password": None, "phone": None, "outgoing_capped_until": None}
    assert asha.does("protection") == nothing
    assert "Nothing waits." in asha.run("protection").stdout

    thief.env |= {"TIKI_SERVER": server.url, "TIKI_NEW_PASSWORD": FRESH}
    assert thief.refused("password", "forgot") == "phone_missing"
    assert "a code is on its way" in thief.run("password", "forgot", number).stdout
    assert thief.refused("password", "reset", "000000") in {"code_wrong", "code_used"}
    assert "works from" in thief.run("password", "reset", server.code_sent_to(number)).stdout
    assert thief.refused("password", "reset", "000000") == "change_missing"
    assert "A new password works from" in asha.run("protection").stdout
    assert asha.does("protection", "--keep-password") == nothing
    assert asha.refused("protection", "--keep-password") == "nothing_waits"

    assert asha.refused("number", "prove", "000000") == "change_missing"
    assert "Two codes are on their way." in asha.run("number", "change", "+6581119001").stdout
    moves = asha.run("number", "prove", server.code_sent_to("+6581119001"))
    assert "The number changes on" in moves.stdout
    assert "The wallet moves to +65 •••• 9001" in asha.run("protection").stdout
    assert asha.does("protection", "--keep-number") == nothing
    asha.does("number", "change", "+6581119002")
    codes = server.code_sent_to("+6581119002"), server.code_sent_to(number)
    assert "The number is changed." in asha.run("number", "prove", *codes).stdout
    assert asha.does("whoami")["phone"] == "+6581119002"
    assert "only a little leaves the wallet" in asha.run("protection").stdout

    assert asha.refused("password", "change") == "password_missing"
    asha.env["TIKI_NEW_PASSWORD"] = FRESH
    asha.env["TIKI_PASSWORD"] = "a guess of mine"
    assert asha.refused("password", "change") == "proof_wrong"
    asha.env["TIKI_PASSWORD"] = PASSWORD
    assert "The password is changed." in asha.run("password", "change").stdout
    asha.env["TIKI_PASSWORD"] = FRESH
    assert asha.run("logout").exit_code == 0
    assert asha.does("login")["person"]["phone"] == "+6581119002"  # the wallet knows its new number
