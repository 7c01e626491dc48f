"""A browser's session is a cookie: no script reads it, and no other site can use it."""

from http.cookies import Morsel, SimpleCookie
from pathlib import Path

from httpx import Response

from world import PASSWORD, Someone, World, body_of, open_world, refusal

BROWSER = {"tikiwallet-client": "web"}


async def sign_in(world: World, who: Someone, **headers: str) -> Response:
    return await world.http.post("/v1/sessions", json={"phone": who.phone, "password": PASSWORD}, headers=headers)


def cookie_of(answer: Response) -> Morsel[str]:
    (found,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return found


async def test_a_browser_gets_its_session_as_a_cookie_that_no_script_reads(world: World) -> None:
    (alice,) = await world.people("alice")
    answer = await sign_in(world, alice, **BROWSER)
    assert body_of(answer, 201)["token"] == ""
    cookie = cookie_of(answer)
    assert (cookie.key, cookie["path"], cookie["domain"]) == ("tikiwallet", "/", "")
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    assert 0 < int(cookie["max-age"]) <= 6 * 3600
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


async def test_signing_out_ends_the_session_and_the_browser_forgets_it(world: World) -> None:
    (alice,) = await world.people("alice")
    kept = cookie_of(await sign_in(world, alice, **BROWSER)).value
    answer = await world.http.delete("/v1/sessions/current", headers=BROWSER)
    assert answer.status_code == 204
    assert (cookie_of(answer).value, cookie_of(answer)["max-age"]) == ("", "0")
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
        cookie = cookie_of(await sign_in(world, alice, **BROWSER))
        assert (cookie.key, cookie["path"], cookie["domain"]) == ("__Host-tikiwallet", "/", "")
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Strict")
        given = {**BROWSER, "cookie": f"__Host-tikiwallet={cookie.value}"}
        assert body_of(await world.http.get("/v1/me", headers=given), 200)["username"] == "alice"
        foreign = {**BROWSER, "cookie": f"tikiwallet={cookie.value}"}  # set over plain HTTP by somebody in between
        world.http.cookies.clear()
        assert refusal(await world.http.get("/v1/me", headers=foreign)) == (401, "session_missing")
