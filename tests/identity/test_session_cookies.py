"""A browser's session is a cookie: no script reads it, and no other site can use it."""

from http.cookies import Morsel, SimpleCookie
from pathlib import Path

from httpx import Response

from world import PASSWORD, Someone, World, body_of, open_world, refusal

BROWSER = {"tikiwallet-client": "web"}


async def sign_in(world: World, who: Someone, **headers: str) -> Response:
    return await world.sign_in_anywhere(who.phone, **headers)


def cookie_of(answer: Response, name: str = "tikiwallet") -> Morsel[str]:
    (found,) = [
        morsel
        for header in answer.headers.get_list("set-cookie")
        for morsel in SimpleCookie(header).values()
        if morsel.key.removeprefix("__Host-") == name
    ]
    return found


async def test_a_browser_gets_its_session_as_a_cookie_that_no_script_reads(world: World) -> None:
    (alice,) = await world.people("alice")
    answer = await sign_in(world, alice, **BROWSER)
    session = body_of(answer, 201)
    assert (session["token"], session["refresh_token"]) == ("", "")
    for name, seconds in (("tikiwallet", 600), ("tikiwallet-refresh", 6 * 3600)):
        cookie = cookie_of(answer, name)
        assert (cookie.key, cookie["path"], cookie["domain"]) == (name, "/", "")
        assert (cookie["httponly"], cookie["samesite"].lower()) == (True, "strict")
        assert int(cookie["max-age"]) == seconds
    assert body_of(await world.http.get("/v1/me", headers=BROWSER), 200)["username"] == "alice"


async def test_whoever_proves_a_phone_in_a_browser_is_signed_in_by_a_cookie(world: World) -> None:
    order = {"phone": world.new_phone(), "username": "alice", "password": PASSWORD}
    started = body_of(await world.http.post("/v1/registrations", json=order), 202)
    answer = await world.http.post(
        f"/v1/registrations/{started['registration_id']}/verification",
        json={"code": world.code_sent_to(order["phone"])}, headers=BROWSER,
    )  # fmt: skip
    assert body_of(answer, 201)["token"] == ""
    assert body_of(await world.http.get("/v1/me", headers=BROWSER), 200)["username"] == "alice"


async def test_a_cookie_alone_is_no_session(world: World) -> None:
    (alice,) = await world.people("alice")
    await sign_in(world, alice, **BROWSER)
    for others in ({}, {"tikiwallet-client": "another"}):
        assert refusal(await world.http.get("/v1/me", headers=others)) == (401, "session_missing")
        assert refusal(await world.http.delete("/v1/sessions/current", headers=others)) == (401, "session_missing")
        refreshed = await world.http.post("/v1/sessions/refresh", json={}, headers={**others, "idempotency-key": "k"})
        assert refusal(refreshed) == (401, "session_missing")
    evil = {**BROWSER, "origin": "https://evil.example"}  # a page there that could forge our header all the same
    assert refusal(await world.http.delete("/v1/sessions/current", headers=evil)) == (403, "cross_site_refused")
    assert "access-control-allow-origin" not in (await world.http.options("/v1/me")).headers
    assert body_of(await world.http.get("/v1/me", headers=BROWSER), 200)["username"] == "alice"  # nothing ended it


async def test_a_token_in_the_header_counts_before_a_cookie(world: World) -> None:
    alice, ben = await world.people("alice", "ben")
    await sign_in(world, alice, **BROWSER)
    bearer = {**BROWSER, "authorization": f"Bearer {ben.token}"}
    assert body_of(await world.http.get("/v1/me", headers=bearer), 200)["username"] == "ben"
    basic = {**BROWSER, "authorization": "Basic YTpi"}
    assert refusal(await world.http.get("/v1/me", headers=basic)) == (401, "session_missing")


async def test_a_browser_goes_on_with_a_cookie_that_no_script_reads(world: World) -> None:
    (alice,) = await world.people("alice")
    first = cookie_of(await sign_in(world, alice, **BROWSER), "tikiwallet-refresh").value
    world.clock.move(minutes=11)
    assert refusal(await world.http.get("/v1/me", headers=BROWSER)) == (401, "session_invalid")
    asked = {**BROWSER, "idempotency-key": "k1"}
    answers = [await world.http.post("/v1/sessions/refresh", json={}, headers=asked)]
    world.http.cookies.set("tikiwallet-refresh", first)  # the answer was lost, and its cookies with it
    answers.append(await world.http.post("/v1/sessions/refresh", json={}, headers=asked))
    assert [body_of(answer, 201)["refresh_token"] for answer in answers] == ["", ""]
    assert len({cookie_of(answer, "tikiwallet-refresh").value for answer in answers} | {first}) == 2
    assert body_of(await world.http.get("/v1/me", headers=BROWSER), 200)["username"] == "alice"
    access = {"authorization": f"Bearer {cookie_of(answers[0]).value}"}
    assert body_of(await world.http.get("/v1/me", headers=access), 200)["username"] == "alice"


async def test_each_token_is_refused_in_the_place_of_the_other(world: World) -> None:
    (alice,) = await world.people("alice")
    as_access = {"authorization": f"Bearer {alice.refresh_token}"}
    assert refusal(await world.http.get("/v1/me", headers=as_access)) == (401, "session_invalid")
    for body in ({"refresh_token": alice.token[:64]}, {"refresh_token": alice.token.split(".")[2][:64]}):
        answer = await world.http.post("/v1/sessions/refresh", json=body, headers={"idempotency-key": "k"})
        assert refusal(answer) == (401, "session_invalid")
    long = await world.http.post(
        "/v1/sessions/refresh", json={"refresh_token": alice.token}, headers={"idempotency-key": "k"}
    )
    assert refusal(long) == (400, "request_invalid")
    swapped = {**BROWSER, "cookie": f"tikiwallet={alice.refresh_token}; tikiwallet-refresh={alice.token}"}
    assert refusal(await world.http.get("/v1/me", headers=swapped)) == (401, "session_invalid")
    swapped["idempotency-key"] = "k"
    assert refusal(await world.http.post("/v1/sessions/refresh", json={}, headers=swapped)) == (401, "session_invalid")
    assert (await alice.get("/v1/me")).status_code == 200  # and nothing was ended by it


async def test_signing_out_ends_the_session_and_the_browser_forgets_it(world: World) -> None:
    (alice,) = await world.people("alice")
    kept = cookie_of(await sign_in(world, alice, **BROWSER)).value
    answer = await world.http.delete("/v1/sessions/current", headers=BROWSER)
    assert answer.status_code == 204
    for name in ("tikiwallet", "tikiwallet-refresh"):
        assert (cookie_of(answer, name).value, cookie_of(answer, name)["max-age"]) == ("", "0")
    world.http.cookies.set("tikiwallet", kept)  # somebody kept a copy
    assert refusal(await world.http.get("/v1/me", headers=BROWSER)) == (401, "session_invalid")


async def test_another_client_gets_no_cookie(world: World) -> None:
    (alice,) = await world.people("alice")
    answer = await sign_in(world, alice)
    assert body_of(answer, 201)["token"]
    assert "set-cookie" not in answer.headers


async def test_over_https_no_other_host_can_set_the_cookie(database_url: str, data_dir: Path) -> None:
    async with open_world(database_url, data_dir, tls_cert="server.pem", tls_key="server.key") as world:
        (alice,) = await world.people("alice")
        answer = await sign_in(world, alice, **BROWSER)
        cookie = cookie_of(answer)
        assert (cookie.key, cookie["path"], cookie["domain"]) == ("__Host-tikiwallet", "/", "")
        for name in ("tikiwallet", "tikiwallet-refresh", "tikiwallet-device"):
            flags = cookie_of(answer, name)
            assert flags.key == f"__Host-{name}"
            assert (flags["secure"], flags["httponly"], flags["samesite"].lower()) == (True, True, "strict")
        given = {**BROWSER, "cookie": f"__Host-tikiwallet={cookie.value}"}
        assert body_of(await world.http.get("/v1/me", headers=given), 200)["username"] == "alice"
        foreign = {**BROWSER, "cookie": f"tikiwallet={cookie.value}"}  # set over plain HTTP by somebody in between
        world.http.cookies.clear()
        assert refusal(await world.http.get("/v1/me", headers=foreign)) == (401, "session_missing")
