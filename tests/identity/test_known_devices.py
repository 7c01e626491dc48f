"""A sign-in on a device that wasn't seen before is told to its person, and to nobody else."""

from datetime import timedelta
from http.cookies import SimpleCookie

from httpx import Response

from tikiwallet.identity.known_devices import DEVICES_PER_PERSON_MAX, make_device_secret
from world import PASSWORD, Someone, World, body_of, refusal

ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36"
)


async def sign_in(world: World, who: Someone, device: str = "", **headers: str) -> Response:
    return await world.sign_in_anywhere(who.phone, tikiwallet_device=device, **headers)


async def notices_of(who: Someone) -> list[dict[str, str]]:
    items: list[dict[str, str]] = body_of(await who.get("/v1/notices"), 200)["items"]
    return items


async def test_the_first_sign_in_on_a_device_is_told_and_the_next_are_not(world: World) -> None:
    alice, ben = await world.people("alice", "ben")
    device = make_device_secret()
    before = len(world.texts_to(alice.phone))
    new = Someone(world.http, body_of(await sign_in(world, alice, device, user_agent=ANDROID), 201))
    (notice,) = await notices_of(alice)
    assert (notice["kind"], notice["label"]) == ("new_device", "Chrome \u00b7 Android")
    assert await notices_of(new) == []  # a thief would put it away
    assert await notices_of(ben) == []
    code, text = world.texts_to(alice.phone)[before:]
    assert "signs in to your TikiWallet on a new device" in code
    assert len(code) <= 160
    assert "new device (Chrome, Android)" in text
    assert text.isascii()
    assert len(text) <= 160
    for _ in range(2):
        body_of(await sign_in(world, alice, device), 201)
    assert len(world.texts_to(alice.phone)) == before + 2
    assert await notices_of(alice) == [notice]
    body_of(await sign_in(world, ben, device), 201)  # somebody else's device is new to Ben
    assert [item["kind"] for item in await notices_of(ben)] == ["new_device"]
    assert await world.identity.devices.is_known(alice.person_id, device)
    assert not await world.identity.devices.is_known(alice.person_id, make_device_secret())
    assert not await world.identity.devices.is_known(alice.person_id, "")


async def test_a_notice_comes_with_a_refresh_and_goes_when_its_person_puts_it_away(world: World) -> None:
    alice, ben = await world.people("alice", "ben")
    new = Someone(world.http, body_of(await sign_in(world, alice), 201))
    (notice,) = body_of(await alice.refresh(), 201)["notices"]
    address = f"/v1/notices/{notice['notice_id']}/dismissal"
    for who in (new, ben):
        assert refusal(await who.post(address)) == (404, "notice_unknown")
    for _ in range(2):
        assert (await alice.post(address)).status_code == 204
    assert await notices_of(alice) == []


async def test_a_browser_is_known_again_by_a_cookie_that_signing_out_leaves(world: World) -> None:
    (alice,) = await world.people("alice")
    answer = await sign_in(world, alice, tikiwallet_client="web")
    (cookie,) = [
        morsel
        for header in answer.headers.get_list("set-cookie")
        for morsel in SimpleCookie(header).values()
        if morsel.key == "tikiwallet-device"
    ]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"].lower()) == ("/", True, "strict")
    assert int(cookie["max-age"]) == timedelta(days=400).total_seconds()
    assert len(await notices_of(alice)) == 1
    signed_out = await world.http.delete("/v1/sessions/current", headers={"tikiwallet-client": "web"})
    assert signed_out.status_code == 204
    await sign_in(world, alice, tikiwallet_client="web")
    assert len(await notices_of(alice)) == 1
    await sign_in(world, alice, device="no secret of ours")  # what can't be one is nobody's
    assert len(await notices_of(alice)) == 2


async def test_of_many_devices_those_unseen_for_longest_are_forgotten(world: World) -> None:
    (alice,) = await world.people("alice")
    found = [make_device_secret() for _ in range(DEVICES_PER_PERSON_MAX + 1)]
    async with world.identity.database.transaction() as tx:
        for device in found:
            world.clock.move(seconds=1)
            await world.identity.devices.remember(tx, alice.person_id, device, label="", now=world.clock.now)
    assert not await world.identity.devices.is_known(alice.person_id, found[0])
    assert await world.identity.devices.is_known(alice.person_id, found[1])
    async with world.identity.database.transaction() as tx:
        await world.identity.devices.forget_all(tx, alice.person_id)
    assert not await world.identity.devices.is_known(alice.person_id, found[-1])


async def test_who_knows_a_password_cannot_flood_its_owner_with_text_messages(world: World) -> None:
    (alice,) = await world.people("alice")
    before = len(world.texts_to(alice.phone))
    order = {"phone": alice.phone, "password": PASSWORD}
    for number in range(12):
        if number % 10 == 0:
            codes = body_of(await alice.post("/v1/recovery-codes"), 201)["codes"]
        given = {**order, "proof": {"recovery_code": codes.pop()}}
        body_of(await world.http.post("/v1/sessions", json=given, headers={"tikiwallet-device": ""}), 201)
    assert len(world.texts_to(alice.phone)) == before + 10
    assert len(await notices_of(alice)) == 12
