"""How Stripe says no: an error type, a code, a status, and what was at fault.

`began` tells whether the request had begun to be carried out: then the answer belongs to its idempotency key, and the
same key gets the same "no" again. A request that wasn't even understood leaves its key unused.
"""

from typing import Any, TypeAlias

Thing: TypeAlias = dict[str, Any]  # a Stripe object, kept as the JSON that it is answered as


class StripeError(Exception):
    """An answer other than 200."""

    def __init__(
        self, message: str, *, status: int = 400, kind: str = "invalid_request_error", began: bool = False, **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.began = began
        self.body: Thing = {"error": {"type": kind, "message": message, **more}}


def invalid(message: str, *, code: str = "parameter_invalid_empty", param: str = "") -> StripeError:
    """Return the "no" to a request that can't be understood."""
    error = StripeError(message, code=code)
    if param:
        error.body["error"]["param"] = param
    return error


def refused(message: str, *, code: str, **more: Any) -> StripeError:
    """Return the "no" to a request that was understood and can't be done as things stand."""
    return StripeError(message, code=code, began=True, **more)


def missing(kind: str, name: str, *, param: str = "id") -> StripeError:
    """Return the "no" to an id that nothing has."""
    return StripeError(f"No such {kind}: '{name}'", status=404, code="resource_missing", param=param)
