"""The command line against the real server: sign up, sign in, pay, ask, move money; and a network that fails."""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from tests.cli.phones import Phone
from tests.cli.server_of_tests import RunningServer, Tunnel
from tests.world import PASSWORD

from tikiwallet.cli import server as server_module


@pytest.fixture
def people(server: RunningServer, phone: Callable[[str], Phone]) -> Callable[..., list[Phone]]:
    """Sign people up."""
    return lambda *names: [server.sign_up(phone(name)) for name in names]


def online_balance(person: Phone) -> int:
    minor: int = person.does("history", "--limit", "1")["items"][0]["balance"]["amount_minor"]
    return minor


def test_a_person_signs_up_in_and_out(server: RunningServer, phone: Callable[[str], Phone]) -> None:
    asha = phone("asha")
    asha.env |= {"TIKI_SERVER": server.url, "TIKI_PASSWORD": PASSWORD}
    assert "A code is on its way to +6591234567." in asha.run("register", "+6591234567", "asha").stdout
    assert asha.refused("verify", "000000") == "code_wrong"
    assert asha.refused("whoami") == "not_signed_in"
    asha.does("verify", "--resend")
    welcome = asha.run("verify", server.code_sent_to("+6591234567"))
    assert "Welcome, asha. Your wallet is open." in welcome.stdout
    del asha.env["TIKI_SERVER"]  # it is remembered
    assert asha.does("whoami")["phone"] == "+6591234567"
    assert "asha" in asha.run("whoami").stdout
    assert "Signed out." in asha.run("logout").stdout
    assert asha.refused("whoami") == "not_signed_in"
    del asha.env["TIKI_PASSWORD"]
    assert asha.refused("login") == "password_missing"
    (asha.home / "password").write_text(PASSWORD + "\n")
    assert "Signed in as asha until" in asha.run("login", "--password-file", str(asha.home / "password")).stdout
    (asha.home / "password").write_text("wrong umbrellas")
    assert asha.refused("login", "--password-file", str(asha.home / "password")) == "credentials_wrong"
    assert asha.run("logout").exit_code == 0


def test_a_wallet_belongs_to_one_person(people: Callable[..., list[Phone]], server: RunningServer) -> None:
    asha, ben = people("asha", "ben")
    number = ben.does("whoami")["phone"]
    assert asha.refused("login", number) == "second_proof_needed"
    assert asha.refused("login", number, "--code", server.code_sent_to(number)) == "wallet_of_another"
    assert asha.refused("register", "+6591119999", "dan") == "wallet_of_another"
    assert asha.refused("verify", "123456") == "registration_missing"


def test_signing_in_from_an_empty_folder_needs_the_number(
    people: Callable[..., list[Phone]], phone: Callable[[str], Phone], server: RunningServer
) -> None:
    (asha,) = people("asha")
    second = phone("second")
    second.env |= asha.env
    assert second.refused("login") == "phone_missing"
    number = asha.does("whoami")["phone"]
    assert server.sign_in(second, number)["person"]["username"] == "asha"
    codes = asha.does("recovery-codes")["codes"]
    third = phone("third")
    third.env |= asha.env
    assert third.does("login", number, "--recovery-code", codes[0])["person"]["username"] == "asha"
    assert third.does("login", number)["person"]["username"] == "asha"  # this folder is known by now


def test_a_payment_by_name_or_number_arrives_with_its_note(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    assert "Demonstration bank" in asha.run("topup", "100").stdout
    paid = asha.run("pay", "ben", "12.50", "--memo", "lunch", stdin="y\n")
    assert paid.exit_code == 0, paid.output
    assert "Pay 12.50 SGD to ben (+65" in paid.stderr
    assert "Paid 12.50 SGD to ben" in paid.stdout
    number = ben.does("whoami")["phone"]
    assert asha.does("pay", number, "1", "--yes")["amount"] == {"amount_minor": 100, "currency": "SGD"}
    assert asha.refused("pay", "ben", "1", stdin="n\n") == "not_confirmed"
    assert (online_balance(asha), online_balance(ben)) == (8650, 1350)
    shown = ben.run("history")
    assert "from asha · lunch" in " ".join(shown.stdout.split())
    assert "+12.50 SGD" in shown.stdout
    page = asha.does("history", "--limit", "1")
    assert asha.does("history", "--limit", "1", "--cursor", page["next_cursor"])["items"] != page["items"]
    assert "Older: tiki history --cursor" in asha.run("history", "--limit", "1").stdout


def test_refusals_of_the_server_keep_their_codes(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    assert asha.refused("pay", "nobody_here", "1", "--yes") == "person_unknown"
    assert asha.refused("pay", "ben", "1", "--yes") == "insufficient_funds"
    assert asha.refused("pay", "asha", "1", "--yes") == "payee_is_payer"
    assert asha.refused("pay", "ben", "-1", "--yes") == "amount_invalid"
    assert asha.refused("pay", "ben", "1", "--yes", "--memo", "x" * 141) in {"memo_invalid", "request_invalid"}
    assert asha.refused("withdraw", "1") == "insufficient_funds"
    assert "Nothing has moved yet." in ben.run("history").stdout


def test_requests_are_listed_paid_declined_and_cancelled(people: Callable[..., list[Phone]]) -> None:
    asha, ben = people("asha", "ben")
    asha.does("topup", "50")
    assert "Nobody asked you for money" in ben.run("requests").stdout
    first = ben.does("request", "asha", "5", "--memo", "taxi")["request_id"]
    second, third = (ben.does("request", "asha", amount)["request_id"] for amount in ("6", "7"))
    listed = asha.run("requests")
    assert "ben asks you" in listed.stdout
    assert "taxi" in listed.stdout
    assert "you ask asha" in ben.run("requests").stdout
    assert len(asha.does("requests", "list", "--role", "payer", "--state", "open")["items"]) == 3
    assert asha.refused("requests", "pay", first, stdin="n\n") == "not_confirmed"
    assert asha.does("requests", "pay", first, "--yes")["state"] == "paid"
    assert "declined to pay 6.00 SGD" in asha.run("requests", "decline", second).stdout
    assert "taken back" in ben.run("requests", "cancel", third).stdout
    assert asha.refused("requests", "decline", "ffffffff") == "request_unknown"
    assert online_balance(asha) == 4500


def test_a_wallet_is_closed_once_it_is_empty(people: Callable[..., list[Phone]]) -> None:
    (asha,) = people("asha")
    asha.does("topup", "20")
    assert asha.refused("close", stdin="n\n") == "not_confirmed"
    begun = asha.does("close", "--yes")
    assert (begun["state"], [item["kind"] for item in begun["obstacles"]]) == ("closing", ["balance"])
    assert "20.00 SGD in the wallet" in asha.run("close", "--yes").stdout
    assert asha.refused("topup", "5") == "wallet_closes"
    assert asha.does("close", "--keep")["state"] == "active"
    asha.does("withdraw", "20")
    assert asha.does("close", "--yes") == {"state": "closed", "obstacles": []}


def test_a_bank_that_declines_or_waits_says_so(people: Callable[..., list[Phone]]) -> None:
    (asha,) = people("asha")
    for _ in range(2):
        assert asha.refused("topup", "5.13") == "declined_by_bank"  # judged anew: each is an order of its own
    pending = asha.run("topup", "5.37")
    assert pending.exit_code == 0
    assert "5.37 SGD" in pending.stdout
    asha.does("topup", "20")
    assert asha.does("withdraw", "5")["state"] == "settled"
    assert online_balance(asha) == 1500


@pytest.fixture
def tunnel(server: RunningServer) -> Iterator[Tunnel]:
    made = Tunnel(server)
    yield made
    made.close()


def test_a_payment_whose_answer_was_lost_is_paid_once_by_asking_again(
    people: Callable[..., list[Phone]], tunnel: Tunnel
) -> None:
    asha, ben = people("asha", "ben")
    asha.does("topup", "100")
    asha.env["TIKI_SERVER"] = tunnel.url
    for _ in range(2):
        tunnel.lose_after = 1
        assert asha.refused("pay", "ben", "20", "--yes", status=3) == "server_unreachable"
    first = asha.does("pay", "ben", "20", "--yes")
    assert (online_balance(asha), online_balance(ben)) == (8000, 2000)
    assert [item["code"] for item in first["notices"]] == ["asked_before"]
    assert "Nothing moved now" not in first["notices"][0]["detail"]  # it may just have
    second = asha.does("pay", "ben", "20", "--yes")  # the outcome was known: this is another payment
    assert "notices" not in second
    assert first["transfer_id"] != second["transfer_id"]
    assert (online_balance(asha), online_balance(ben)) == (6000, 4000)


def test_who_is_slowed_down_after_an_answer_was_lost_pays_once_all_the_same(
    people: Callable[..., list[Phone]], tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, ben = people("asha", "ben")
    asha.does("topup", "100")
    asha.env["TIKI_SERVER"] = tunnel.url
    tunnel.lose_after = 1
    assert asha.refused("pay", "ben", "20", "--yes", status=3) == "server_unreachable"
    # Long after, the server doesn't even look at the payment.
    with monkeypatch.context() as slowed:
        slowed.setattr(server_module, "ON_ITS_WAY_SECONDS", 0)
        slowed.setattr(server_module.Server, "call", slow_down)
        assert asha.refused("pay", "ben", "20", "--yes") == "too_many_requests"
    again = asha.does("pay", "ben", "20", "--yes")
    assert [item["code"] for item in again["notices"]] == ["asked_before"]
    assert (online_balance(asha), online_balance(ben)) == (8000, 2000)


def slow_down(*_: object, **__: object) -> None:
    raise server_module.ServerSaidNo("too_many_requests", "Try again in 20 seconds.", status=429)


def test_a_very_late_repetition_says_that_nothing_moved_now(
    people: Callable[..., list[Phone]], tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, ben = people("asha", "ben")
    asha.does("topup", "100")
    asha.env["TIKI_SERVER"] = tunnel.url
    tunnel.lose_after = 1
    assert asha.refused("pay", "ben", "20", "--yes", status=3) == "server_unreachable"
    later = format_datetime(datetime.now(UTC) + timedelta(days=3), usegmt=True)
    monkeypatch.setattr(server_module, "parsedate_to_datetime", lambda _: parsedate_to_datetime(later))
    told = asha.run("pay", "ben", "20", "--yes")
    assert "Nothing moved now: that was on " in " ".join(told.stderr.split())
    assert "asked_before" in told.stderr
    assert (online_balance(asha), online_balance(ben)) == (8000, 2000)


def test_an_answer_without_a_readable_date_is_an_answer() -> None:
    assert server_module._date("") is None
    assert server_module._date("yesterday") is None


def test_a_top_up_whose_answer_was_lost_happens_once(people: Callable[..., list[Phone]], tunnel: Tunnel) -> None:
    (asha,) = people("asha")
    asha.env["TIKI_SERVER"] = tunnel.url
    asha.run("balance")
    tunnel.lose_after = 1
    assert asha.refused("topup", "10", status=3) == "server_unreachable"
    asha.does("topup", "10")
    assert online_balance(asha) == 1000


def test_a_lost_session_says_how_to_go_on(people: Callable[..., list[Phone]]) -> None:
    (asha,) = people("asha")
    (asha.folder / "session").write_text('{"token": "stale", "expires_at": "2030-01-01T00:00:00+00:00"}')
    assert asha.refused("whoami") == "not_signed_in"
    (asha.folder / "session").write_text("garbage")
    assert asha.refused("whoami") == "not_signed_in"
    assert asha.run("login").exit_code == 0


def test_signing_out_without_a_network_forgets_the_session_here(people: Callable[..., list[Phone]]) -> None:
    (asha,) = people("asha")
    out = asha.does("logout", "--server", "http://127.0.0.1:9")
    assert [notice["code"] for notice in out["notices"]] == ["session_ends_later"]
    assert asha.refused("whoami") == "not_signed_in"


def test_something_that_is_no_wallet_is_told_apart(phone: Callable[[str], Phone], asha: Phone) -> None:
    answers = {
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello": "server_unexpected",
        b"HTTP/1.1 302 Found\r\nlocation: http://example.com\r\ncontent-length: 0\r\n\r\n": "server_unexpected",
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\noops": "server_unexpected",
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\ncut": "server_unreachable",
        b"nonsense\r\n\r\n": "server_unreachable",
    }
    asha.env["TIKI_PASSWORD"] = PASSWORD
    for answer, code in answers.items():
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def once(listening: socket.socket = listening, answer: bytes = answer) -> None:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(100_000)
                    connection.sendall(answer)

            thread = threading.Thread(target=once, daemon=True)
            thread.start()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            status = 3 if code == "server_unreachable" else 1
            assert asha.refused("login", "+6591234567", "--server", url, status=status) == code
            thread.join()
