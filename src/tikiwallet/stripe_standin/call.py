"""What an endpoint is given: the parameters, the names in its address, and for which account it is asked."""

from collections.abc import Callable
from typing import Any, TypeAlias

from tikiwallet.stripe_standin.errors import Thing, invalid
from tikiwallet.stripe_standin.forms import Form
from tikiwallet.stripe_standin.store import Store

PAGE_SIZE_MAX, PAGE_SIZE_DEFAULT = 100, 10


class Call:
    """One request."""

    def __init__(self, store: Store, form: Form, *, names: tuple[str, ...], account: str, path: str) -> None:
        self.store = store
        self.form = form
        self.names = names
        self.account = account  # the connected account of the Stripe-Account header; empty: the platform
        self.path = path

    @property
    def name(self) -> str:
        """The first id in the address."""
        return self.names[0]

    def own(self, kind: str, name: str | None = None, *, param: str = "id") -> Thing:
        """Return an object of the account that asks."""
        return self.store.get(kind, self.name if name is None else name, owner=self.account, param=param)


Endpoint: TypeAlias = Callable[[Call], Thing]


def page(call: Call, things: list[Thing]) -> Thing:
    """Return a page of `things`, which come newest first, as the call asks for it."""
    form = call.form
    limit = form.integer("limit") or PAGE_SIZE_DEFAULT
    after, before = form.text("starting_after"), form.text("ending_before")
    form.done()
    if not 1 <= limit <= PAGE_SIZE_MAX:
        raise invalid("limit must be between 1 and 100.", code="parameter_invalid_integer", param="limit")
    places = {thing["id"]: place for place, thing in enumerate(things)}
    for cursor, param in ((after, "starting_after"), (before, "ending_before")):
        if cursor and cursor not in places:
            raise invalid(f"No such object: '{cursor}'", code="resource_missing", param=param)
    if before:
        end = places[before]
        shown, has_more = things[max(0, end - limit) : end], end > limit
    else:
        begin = places[after] + 1 if after else 0
        shown, has_more = things[begin : begin + limit], len(things) > begin + limit
    return {"object": "list", "url": call.path, "has_more": has_more, "data": shown}


def within(call: Call) -> Callable[[Thing], bool]:
    """Return whether a thing was created when the call asks for (`created`, `created[gte]`, ...)."""
    if not call.form.has("created"):
        return lambda _: True
    if not call.form.is_group("created"):
        exactly = call.form.integer("created")
        return lambda thing: bool(thing["created"] == exactly)
    limits = call.form.group("created")
    above, at_least, below, at_most = (limits.integer(key) for key in ("gt", "gte", "lt", "lte"))
    limits.done()

    def is_within(thing: Thing) -> bool:
        created: int = thing["created"]
        return (
            (above is None or created > above)
            and (at_least is None or created >= at_least)
            and (below is None or created < below)
            and (at_most is None or created <= at_most)
        )

    return is_within


def matching(call: Call, *fields: str) -> Callable[[Thing], bool]:
    """Return whether a thing has the values that the call asks for in these fields."""
    wanted: dict[str, Any] = {field: value for field in fields if (value := call.form.text(field))}
    return lambda thing: all(thing.get(field) == value for field, value in wanted.items())
