"""Load, pay, accept, pass on, sync: the whole story, in every order."""

import itertools

import pytest

from offline.conftest import PhoneOf, parts
from offline.phone import Phone
from world import World, body_of


async def view_of(phone: Phone) -> dict[str, int]:
    return parts(body_of(await phone.owner.get("/v1/offline/money"), 200))


async def test_loaded_money_is_offline_money(world: World, phone_of: PhoneOf) -> None:
    asha = await phone_of("asha", "100.00")
    loading = await asha.load("50.00")
    assert loading["state"] == "open"
    assert asha.voucher.body.count == 5000
    assert await view_of(asha) == {"online": 5000, "offline": 5000, "final": 0, "provisional": 0, "underway": 0}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_order_of_the_syncs_changes_nothing(world: World, phone_of: PhoneOf, order: tuple[int, ...]) -> None:
    asha, ben, chi = await phone_of("asha", "100.00"), await phone_of("ben"), await phone_of("chi")
    await asha.load("50.00")
    assert ben.paid_by(asha, 1500).how_safe.protected == 1500
    assert chi.paid_by(ben, 600).how_safe.protected == 600
    phones = (asha, ben, chi)
    for number in order:
        await phones[number].sync()
    assert await view_of(asha) == {"online": 5000, "offline": 3500, "final": 0, "provisional": 0, "underway": 0}
    assert await view_of(ben) == {"online": 0, "offline": 0, "final": 900, "provisional": 0, "underway": 0}
    assert await view_of(chi) == {"online": 0, "offline": 0, "final": 600, "provisional": 0, "underway": 0}
