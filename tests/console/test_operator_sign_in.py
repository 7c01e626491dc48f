"""How operators get in: by a link once, then by a passkey; and that nothing of people's opens anything of theirs."""

import asyncio
import json
from uuid import uuid4

from authenticator import Authenticator
from operators import BY, PAGE, SignedInOperator, an_operator, enrol, make_operator, sign_in, token_in
from tikiwallet.identity.acts import AUDIT
from tikiwallet.identity.operator_accounts import make_link
from tikiwallet.platform.config import Settings
from world import World, body_of, open_world, refusal


async def test_a_link_registers_one_passkey_once_and_within_a_quarter_of_an_hour(world: World) -> None:
    link = await make_operator(world, "olivia", ["support"])
    order = {"token": link}
    asked = [
        body_of(await world.http.post("/v1/operator/enrolments/challenge", json=order), 201)["challenge"]
        for _ in range(2)
    ]
    keys = [Authenticator(), Authenticator()]
    answers = await asyncio.gather(
        *(
            world.http.post("/v1/operator/enrolments", json={**order, "passkey": key.make(challenge)})
            for key, challenge in zip(keys, asked, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [204, 404]
    assert {refusal(a)[1] for a in answers if a.status_code == 404} == {"enrolment_unknown"}
    late = await make_operator(world, "peter", ["support"])
    world.clock.move(minutes=15)
    for token in (link, late, "AAEC"):
        again = await world.http.post("/v1/operator/enrolments/challenge", json={"token": token})
        assert refusal(again) == (404, "enrolment_unknown")
        order = {"token": token, "passkey": Authenticator().make(asked[0])}
        assert refusal(await world.http.post("/v1/operator/enrolments", json=order)) == (404, "enrolment_unknown")


async def test_a_passkey_of_somebody_else_or_for_another_address_isnt_taken(world: World) -> None:
    olivia = await an_operator(world, "olivia", "support")
    link = await make_operator(world, "peter", ["finance"])
    assert refusal(await enrol(world, link, olivia.key)) == (409, "passkey_taken")
    asked = body_of(await world.http.post("/v1/operator/enrolments/challenge", json={"token": link}), 201)
    forged = {"token": link, "passkey": Authenticator().make(asked["challenge"], origin="https://evil.example")}
    assert refusal(await world.http.post("/v1/operator/enrolments", json=forged)) == (422, "passkey_refused")
    # A challenge of signing in registers nothing, nor does one of another link.
    other = await make_operator(world, "quentin", ["finance"])
    foreign = body_of(await world.http.post("/v1/operator/enrolments/challenge", json={"token": other}), 201)
    signing = body_of(await world.http.post("/v1/operator/sessions/challenge"), 201)
    for challenge in (foreign["challenge"], signing):
        order = {"token": link, "passkey": Authenticator().make(challenge)}
        answer = await world.http.post("/v1/operator/enrolments", json=order)
        assert refusal(answer) == (409, "passkey_challenge_unknown")
    assert (await enrol(world, link, Authenticator())).status_code == 204


async def test_signing_in_takes_the_key_that_was_registered_and_each_answer_once(world: World) -> None:
    olivia = await an_operator(world, "olivia", "support", "finance")
    me = body_of(await olivia.get("/me"), 200)
    assert (me["name"], me["roles"]) == ("olivia", ["support", "finance"])
    asked = body_of(await world.http.post("/v1/operator/sessions/challenge"), 201)
    answer = olivia.key.sign(asked)
    assert (await world.http.post("/v1/operator/sessions", json=answer)).status_code == 201
    again = await world.http.post("/v1/operator/sessions", json=answer)
    assert refusal(again) == (409, "passkey_challenge_unknown")
    stranger = Authenticator()
    assert refusal(await sign_in(world, stranger)) == (422, "passkey_refused")
    olivia.key.sign_count = 0  # a copy of the key
    assert refusal(await sign_in(world, olivia.key)) == (409, "passkey_copied")
    audited = [(entry.act, entry.actor, json.loads(entry.detail)) for entry in await entries(world)]
    assert audited == [
        ("operator_added", "operator:root", {"operator": "olivia", "roles": "support finance"}),
        ("operator_enrolled", "operator:olivia", {}),
        ("operator_signed_in", "operator:olivia", {}),
        ("operator_signed_in", "operator:olivia", {}),
        ("operator_sign_in_refused", "nobody", {"reason": "passkey_challenge_unknown"}),
        ("operator_sign_in_refused", "nobody", {"reason": "passkey_refused"}),
        ("operator_sign_in_refused", "nobody", {"reason": "passkey_copied"}),
    ]


async def entries(world: World) -> list:  # type: ignore[type-arg]
    return await AUDIT.entries(world.identity.database)


async def test_a_session_ends_after_half_an_hour_of_nothing_and_after_six_hours(world: World) -> None:
    olivia = await an_operator(world, "olivia", "support")
    for _ in range(12):
        world.clock.move(minutes=29)
        assert (await olivia.get("/me")).status_code == 200
    world.clock.move(minutes=12)  # six hours since she signed in
    assert refusal(await olivia.get("/me")) == (401, "session_invalid")
    olivia.token = token_in(await sign_in(world, olivia.key))
    world.clock.move(minutes=30)
    assert refusal(await olivia.get("/me")) == (401, "session_invalid")
    olivia.token = token_in(await sign_in(world, olivia.key))
    assert (await olivia.delete("/sessions/current")).status_code == 204
    assert refusal(await olivia.get("/me")) == (401, "session_invalid")


async def test_what_opens_the_one_opens_nothing_of_the_other(world: World) -> None:
    (alice,) = await world.people("alice")
    olivia = await an_operator(world, "olivia", "support", "risk", "finance", "admin")
    for headers in (
        olivia.headers, {"authorization": f"Bearer {olivia.token}"},
        {"tikiwallet-client": "web", "cookie": f"tikiwallet={olivia.token}; tikiwallet-operator={olivia.token}"},
    ):  # fmt: skip
        assert (await world.http.get("/v1/me", headers=headers)).status_code == 401
    for headers in (
        {"authorization": f"Bearer {alice.token}"}, {**PAGE, "authorization": f"Bearer {alice.token}"},
        {**PAGE, "cookie": f"tikiwallet={alice.token}"}, {**PAGE, "cookie": f"tikiwallet-operator={alice.token}"},
        {"tikiwallet-client": "web", "cookie": f"tikiwallet-operator={olivia.token}"},
        {"cookie": f"tikiwallet-operator={olivia.token}"}, {**PAGE, "authorization": f"Bearer {olivia.token}"},
    ):  # fmt: skip
        assert (await world.http.get("/v1/operator/me", headers=headers)).status_code == 401
    # A person's passkey signs no operator in, and an operator's no person.
    key = Authenticator()
    asked = body_of(await alice.post("/v1/passkeys/challenge"), 201)
    body_of(await alice.post("/v1/passkeys", key.make(asked)), 201)
    key.belongs_to(alice.person_id)
    assert refusal(await sign_in(world, key)) == (422, "passkey_refused")
    asked = body_of(await world.http.post("/v1/operator/sessions/challenge"), 201)
    key.belongs_to(olivia.operator_id)
    assert refusal(await world.http.post("/v1/operator/sessions", json=key.sign(asked))) == (422, "passkey_refused")


async def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(world: World, database_url: str) -> None:
    olivia = await an_operator(world, "olivia", "support")
    plain = (await sign_in(world, olivia.key)).headers["set-cookie"]
    assert "HttpOnly" in plain
    assert "samesite=strict" in plain.lower()
    settings: Settings = world.app.state.settings
    world.http.cookies.clear()
    async with open_world(database_url, settings.data_dir, mode="production", origin="http://localhost:8000") as strict:
        strict.clock.now = world.clock.now
        kept = (await sign_in(strict, olivia.key)).headers["set-cookie"]
    assert kept.startswith("__Host-tikiwallet-operator=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure", "Max-Age=21600"} <= set(kept.split("; "))


async def test_a_lost_key_a_disabled_operator_and_a_changed_role_count_from_the_next_request_on(world: World) -> None:
    olivia = await an_operator(world, "olivia", "support")
    adam = await an_operator(world, "adam", "admin")
    accounts = world.identity.operator_accounts
    link = make_link()
    await accounts.renew_link("olivia", link, by=BY, now=world.clock.now)
    assert refusal(await olivia.get("/me")) == (401, "session_invalid")
    assert refusal(await sign_in(world, olivia.key)) == (422, "passkey_refused")
    key = Authenticator()
    assert (await enrol(world, link.token, key)).status_code == 204
    olivia = SignedInOperator(world, "olivia", key, await sign_in(world, key))
    path = f"/operators/{olivia.operator_id}"
    assert refusal(await olivia.get("/corrections")) == (403, "right_missing")
    order = {"roles": ["finance"], "reason": "moved to another team"}
    body_of(await adam.post(f"{path}/roles", order), 200)
    assert (await olivia.get("/corrections")).status_code == 200
    assert refusal(await olivia.get("/operators")) == (403, "right_missing")
    for what, body in (("roles", order), ("disable", {"reason": "left the company"})):
        answer = await adam.post(f"/operators/{adam.operator_id}/{what}", body)
        assert refusal(answer) == (409, "operator_is_you")
        answer = await adam.post(f"/operators/{uuid4()}/{what}", body)
        assert refusal(answer) == (404, "operator_unknown")
    for _ in range(2):
        shown = body_of(await adam.post(f"{path}/disable", {"reason": "left the company"}), 200)["items"]
        assert [(each["name"], bool(each["disabled_at"]), each["has_passkey"]) for each in shown] == [
            ("adam", False, True), ("olivia", True, False),
        ]  # fmt: skip
    assert refusal(await olivia.get("/me")) == (401, "session_invalid")
    assert refusal(await sign_in(world, key)) == (422, "passkey_refused")
    assert refusal(await adam.post(f"{path}/roles", order)) == (409, "operator_disabled")
    acts = [entry.act for entry in await entries(world)]
    assert acts.count("operator_disabled") == 1
    assert acts.count("operator_refused") == 2
