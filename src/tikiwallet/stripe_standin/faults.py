"""What can go wrong between the wallet and Stripe, on purpose and on command.

The kinds differ in the two things that matter: whether the request had its effect, and what the wallet learns.
"""

from collections.abc import Mapping

from tikiwallet.stripe_standin.errors import StripeError, Thing
from tikiwallet.stripe_standin.store import Fault, Store

KINDS: Mapping[str, str] = {
    "fail_before": "no effect, status 500 (or `status`); the idempotency key stays unused",
    "fail_after": "the effect has happened, status 500; the key answers with the effect when it is asked again",
    "fail_for_good": "the effect has happened, status 500; the key answers with the same 500 ever after",
    "lose_before": "no effect and no answer: the connection is silent",
    "lose_after": "the effect has happened, and no answer comes",
    "refuse": "no effect; an error of your choice (`status`, `error`)",
}


class AnswerLost(Exception):
    """The answer never arrives."""


def next_for(store: Store, method: str, path: str) -> Fault | None:
    """Return what is to go wrong with this request, and count it."""
    for fault in store.state.faults:
        if fault.method not in {"", method} or not path.startswith(fault.path):
            continue
        if fault.skip:
            fault.skip -= 1
            return None
        fault.times -= 1
        if not fault.times:
            store.state.faults.remove(fault)
        return fault
    return None


def failure(fault: Fault) -> tuple[int, Thing]:
    """Return the answer of a server that fails."""
    return fault.status, {"error": {"type": "api_error", "message": "An unknown error occurred", **fault.error}}


def before(fault: Fault) -> None:
    """Go wrong before the request has an effect."""
    if fault.kind == "lose_before":
        raise AnswerLost
    if fault.kind in {"fail_before", "refuse"}:
        raise _error(fault)


def after(fault: Fault) -> None:
    """Go wrong although the request had its effect."""
    if fault.kind == "lose_after":
        raise AnswerLost
    if fault.kind == "fail_after":
        raise _error(fault)


def _error(fault: Fault) -> StripeError:
    status, body = failure(fault)
    error = StripeError(body["error"]["message"], status=status)
    error.body = body
    return error
