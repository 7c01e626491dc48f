"""`expand`: the object itself in the place of its id, as Stripe does when it is asked to."""

import copy
from typing import Any

from tikiwallet.stripe_standin.errors import Thing, invalid
from tikiwallet.stripe_standin.store import Store

DEPTH_MAX = 4


def expanded(store: Store, thing: Thing, wanted: list[str]) -> Thing:
    """Return a copy in which the fields of these paths (`data.source`) are objects."""
    if not wanted:
        return thing
    found = copy.deepcopy(thing)
    for path in wanted:
        parts = path.split(".")
        if len(parts) > DEPTH_MAX:
            raise invalid(
                "You cannot expand more than 4 levels of a property.", code="parameter_invalid", param="expand"
            )
        _expand(store, found, parts)
    return found


def _expand(store: Store, thing: Thing, parts: list[str]) -> None:
    name, *rest = parts
    if name not in thing:
        raise invalid(f"This property cannot be expanded ({name}).", code="parameter_invalid", param="expand")
    value = _object(store, thing[name])
    thing[name] = value
    for each in value if isinstance(value, list) else [value]:
        if rest and isinstance(each, dict):
            _expand(store, each, rest)


def _object(store: Store, value: Any) -> Any:
    if isinstance(value, str):
        return copy.deepcopy(store.find(value)) or value
    return value
