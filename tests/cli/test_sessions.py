"""The session of `tiki` goes on by itself, survives a bad network, and its end loses nothing."""

import dataclasses
from collections.abc import Callable

import pytest
from tests.cli.phones import Clock, Phone
from tests.cli.server_of_tests import RunningServer, Tunnel
from tests.databases import execute

from tikiwallet.cli.wallet_folder import Session


@pytest.fixture
def people(server: RunningServer, phone: Callable[[str], Phone]) -> Callable[..., list[Phone]]:
    return lambda *names: [server.sign_up(phone(name)) for name in names]


def session_of(person: Phone) -> Session:
    with person.wallet() as wallet:
        found = wallet.session()
        assert found is not None
        return found


def let_token_end(person: Phone) -> None:
    """The access token is one that the server doesn't take any more; the clock of this phone knows nothing of it."""
    with person.wallet() as wallet:
        session = wallet.session()
        assert session is not None
        wallet.keep_session(dataclasses.replace(session, token="e30.e30.e30"))


def test_a_session_goes_on_before_and_after_its_token_runs_out(
    people: Callable[..., list[Phone]], clock: Clock, server: RunningServer
) -> None:
    (asha,) = people("asha")
    first = session_of(asha)
    asha.does("whoami")
    assert session_of(asha) == first
    clock.now += 540
    asha.does("whoami")
    second = session_of(asha)
    assert len({first.token, second.token}) == len({first.refresh_token, second.refresh_token}) == 2
    let_token_end(asha)
    asha.does("whoami")
    third = session_of(asha)
    let_token_end(asha)
    tunnel = Tunnel(server)
    tunnel.lose_after = 1
    assert asha.refused("whoami", "--server", tunnel.url, status=3) == "server_unreachable"
    tunnel.close()
    pending = session_of(asha)
    assert (pending.refresh_token, len(pending.exchange_key)) == (third.refresh_token, 32)
    asha.does("whoami")  # the same exchange again
    fourth = session_of(asha)
    assert (fourth.exchange_key, fourth.refresh_token != third.refresh_token) == ("", True)
    assert len(asha.does("sessions")["items"]) == 1
    assert fourth.refresh_token not in asha.run("whoami").output


async def end_all(database_url: str) -> None:
    await execute(database_url, "UPDATE identity.session SET revoked_at = now()")


async def test_what_is_unknown_stays_unknown_until_it_is_asked_with_a_new_session(
    people: Callable[..., list[Phone]], server: RunningServer, database_url: str
) -> None:
    asha, ben = people("asha", "ben")
    asha.does("topup", "100")
    tunnel = Tunnel(server)
    tunnel.lose_after = 1  # paid, and the answer is lost
    order = ("pay", "ben", "20", "--yes")
    assert asha.refused(*order, "--server", tunnel.url, status=3) == "server_unreachable"
    tunnel.close()
    await end_all(database_url)
    for _ in range(2):
        assert asha.refused(*order) == "not_signed_in"
    asha.does("login")
    again = asha.does(*order)
    assert "asked_before" in [item["code"] for item in again["notices"]]
    ben.does("login")
    assert asha.does("history", "--limit", "1")["items"][0]["balance"]["amount_minor"] == 8000
    assert ben.does("history", "--limit", "1")["items"][0]["balance"]["amount_minor"] == 2000


async def test_offline_money_outlives_the_session(people: Callable[..., list[Phone]], database_url: str) -> None:
    (asha,) = people("asha")
    asha.does("topup", "100")
    asha.does("load", "20")
    await end_all(database_url)
    assert asha.refused("sync") == "not_signed_in"
    assert asha.offline_balance() == 2000
    asha.does("login")
    asha.does("sync")
    assert asha.offline_balance() == 2000


def test_a_new_sign_in_is_told_and_ended(
    people: Callable[..., list[Phone]], phone: Callable[[str], Phone], server: RunningServer
) -> None:
    (asha,) = people("asha")
    thief = phone("thief")
    thief.env |= asha.env
    number = asha.does("whoami")["phone"]
    assert "notices" not in server.sign_in(thief, number)  # its own is no news
    let_token_end(asha)
    assert [item["code"] for item in asha.does("whoami")["notices"]] == ["new_sign_in"]
    seen = asha.run("sessions").stdout
    assert "Somebody signed in on a new device: tiki" in " ".join(seen.split())
    listed = asha.does("sessions")
    assert listed["told"] == []  # it was read
    other = next(item["session_id"] for item in listed["items"] if not item["is_current"])
    assert asha.refused("sessions", "end", "zzz") == "sign_in_unknown"
    asha.does("sessions", "end", other)
    asha.does("sessions", "end-others", "--yes")
    assert thief.refused("whoami") == "not_signed_in"
    assert len(asha.does("sessions")["items"]) == 1
    asha.does("logout")
    asha.does("login")
    asha.does("logout")
    asha.does("login")
    assert asha.does("sessions")["told"] == []  # this folder is known
