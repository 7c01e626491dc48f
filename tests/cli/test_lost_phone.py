"""A phone is lost: from another device it is blocked, signed out, and its money accounted for."""

from collections.abc import Callable

import pytest
from tests.cli.phones import Phone, pay_offline
from tests.cli.server_of_tests import RunningServer

People = Callable[..., list[Phone]]


@pytest.fixture
def second(phone: Callable[[str], Phone], server: RunningServer) -> Callable[[Phone], Phone]:
    """Give somebody a second device that has synced once."""

    def make(person: Phone) -> Phone:
        found = phone(f"{person.name}-laptop")
        found.env |= person.env
        server.sign_in(found, person.does("whoami")["phone"])
        found.does("sync")
        return found

    return make


def device_of(person: Phone) -> str:
    device_id: str = person.does("status")["device_id"]
    return device_id


def test_a_lost_phone_is_blocked_and_signed_out_and_its_money_is_accounted_for(
    people: People, second: Callable[[Phone], Phone]
) -> None:
    asha, ben = people("asha", "ben")
    asha.does("load", "20")
    pay_offline(asha, ben, "3")
    ben.does("sync")
    laptop, lost = second(asha), device_of(asha)
    assert laptop.refused("phones", "lost", "ffff") == "phone_unknown"
    assert laptop.refused("phones", "lost", lost, stdin="n\n") == "not_confirmed"
    shown = laptop.does("phones", "show", lost)
    assert (shown["blocked"], shown["payable"]["amount_minor"]) == (None, 1700)
    told = laptop.does("phones", "lost", lost[:8], "--yes")
    assert told["phone"]["blocked"]["reason"] == "retired"
    assert (told["phone"]["payable"]["amount_minor"], told["ended"]) == (1700, 1)
    assert [line["state"] for line in told["phone"]["lines"]] == ["coming_home"]
    again = " ".join(laptop.run("phones", "lost", lost, "--yes").stdout.split())
    assert "is blocked: nothing new comes onto it. Nobody else was signed in." in again
    assert "could still pay up to 17.00 SGD to somebody who hasn't synced since" in again
    assert asha.refused("sync") == "not_signed_in"  # the finder can't use the session either
    assert "retired" in laptop.run("phones").stdout
    ben.does("sync")
    asked = ben.does("offline", "request", "1")["code"]
    paid = asha.does("offline", "pay", asked, "--yes")["code"]  # the finder tries all the same
    assert ben.refused("offline", "accept", paid, "--yes") == "key_revoked"


def test_a_phone_that_is_found_again_brings_what_it_was_paid(people: People, second: Callable[[Phone], Phone]) -> None:
    asha, ben = people("asha", "ben")
    asha.does("load", "20")
    pay_offline(asha, ben, "3")
    second(ben).does("phones", "lost", device_of(ben), "--yes")
    ben.does("login")
    done = ben.does("sync")
    assert (done["recorded"], done["rejected"]) == (1, [])
    assert [notice["code"] for notice in done["notices"]] == ["phone_retired"]
    view = ben.does("balance")["view"]
    assert sum(item["amount_minor"] for part in ("final", "provisional") for item in view[part]) == 300


def test_the_owner_of_a_key_that_paid_twice_sees_why_it_is_blocked(people: People, cheat: Callable[..., None]) -> None:
    mallory, ben, chi = people("mallory", "ben", "chi")
    mallory.does("load", "10")
    cheat(mallory, ben, chi)
    for person in (ben, chi):
        person.does("sync")
    assert [notice["code"] for notice in mallory.does("sync")["notices"]] == ["phone_blocked"]
    assert "the same money paid twice" in " ".join(mallory.run("phones").stdout.split())
    assert "there is a proof of it" in " ".join(mallory.run("phones", "show", device_of(mallory)).stdout.split())
