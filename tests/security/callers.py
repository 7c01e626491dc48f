"""Who asks: each column of the access matrix as the headers that this caller sends."""

import base64
import json

from joserfc import jws

from operators import SignedInOperator, an_operator
from world import Someone, World, body_of

ROLES = ("support", "risk", "finance", "admin")
OWNER, OTHER = "olu", "mallory"
# Names and number of the examples in the description, so that the examples work.
OTHERS_IN_EXAMPLES = ("alice", "bob")
PHONE_IN_EXAMPLES = "+6591234567"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


class Callers:
    """Everybody who appears, signed in where that is possible; `headers` by column of the matrix."""

    def __init__(
        self, owner: Someone, other: Someone, headers: dict[str, dict[str, str]], operators: list[SignedInOperator]
    ) -> None:
        self.owner = owner
        self.other = other
        self.operators = {operator.name: operator for operator in operators}  # each has the name of its role
        self.headers = headers | {operator.name: operator.headers for operator in operators}


async def sign_in_everybody(world: World) -> Callers:
    """Make the people of the matrix, one with a session that time has ended and one with one that she ended."""
    owner = await world.sign_up(OWNER, phone=PHONE_IN_EXAMPLES)
    other, *_ = [await world.sign_up(name) for name in (OTHER, *OTHERS_IN_EXAMPLES)]
    expired = owner.token
    world.clock.move(hours=7)
    owner, other = await world.sign_in_again(owner), await world.sign_in_again(other)
    ended = await world.sign_in_again(owner)
    assert (await ended.delete("/v1/sessions/current")).status_code == 204
    for someone in (owner, other):
        body_of(await someone.top_up("200.00"), 201)
    headers = {
        "signed_out": {}, "expired": bearer(expired), "ended": bearer(ended.token),
        "wrong_audience": bearer(await for_another_audience(world, owner)),
        "owner": bearer(owner.token), "other": bearer(other.token),
    }  # fmt: skip
    return Callers(owner, other, headers, [await an_operator(world, role, role) for role in ROLES])


async def for_another_audience(world: World, someone: Someone) -> str:
    """The person's living session in a token that our own key signed for another service."""
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in someone.token.split(".")[:2])
    kid, key = await world.identity.keys.at_work(now=world.clock.now)
    return jws.serialize_compact(
        {**header, "kid": kid}, json.dumps({**claims, "aud": "another-api"}), key, algorithms=[header["alg"]]
    )
