"""A text message never proves a payment: whoever moves somebody's number to his own SIM card reads every code."""

from typing import Any

from tikiwallet.app import build_routes
from tikiwallet.identity.step_up import ACCEPTED
from tikiwallet.identity.types import GuardedAct, Proof
from tikiwallet.platform.config import Settings
from tikiwallet.platform.http import Operation

MOVE_MONEY = {"payments", "funding", "offline"}


def operations() -> list[tuple[str, Operation]]:
    app = build_routes(Settings())
    found = []
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            operation = handler.opt.get("operation")
            if operation is not None:
                found.append((route.path, operation))
    return found


def fields_of(kind: Any) -> set[str]:
    return set() if kind is None else set(kind.__struct_fields__)


def test_no_route_that_moves_money_takes_a_code() -> None:
    money = [(path, operation) for path, operation in operations() if operation.tag in MOVE_MONEY]
    assert {"/v1/transfers", "/v1/withdrawals", "/v1/offline/vouchers"} <= {path for path, _ in money}
    others = {path for path, found in operations() if found.idempotent and found.tag not in MOVE_MONEY}
    assert others == {"/v1/sessions/refresh", "/v1/operator/corrections"}  # moves none; two operators, by passkey
    taking = [
        (path, name) for path, found in money for name in fields_of(found.body) if "code" in name or "otp" in name
    ]
    assert taking == []


def test_no_text_message_is_a_fresh_proof_for_money_or_for_another_way_in() -> None:
    for act in set(GuardedAct) - {GuardedAct.EXPORT}:
        assert Proof.TEXT_MESSAGE not in ACCEPTED[act], act
