"""Stripe's way to write nested values into a form: `line_items[0][price_data][currency]=sgd`.

A parameter that nobody reads is refused, as Stripe does, and loudly: a stand-in that let one pass would let the wallet
believe in an effect that was never there.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tikiwallet.stripe_standin.errors import Thing, invalid

PART = re.compile(r"\[([^\[\]]*)\]")
AMOUNT_MAX = 99_999_999
METADATA_KEYS_MAX, METADATA_KEY_LENGTH_MAX, METADATA_VALUE_LENGTH_MAX = 50, 40, 500


def parse(text: str) -> Thing:
    """Return the values of a form or query; a list is a mapping by position until it is read as a list."""
    found: Thing = {}
    for key, value in parse_qsl(text, keep_blank_values=True, strict_parsing=False):
        head, _, _ = key.partition("[")
        parts = [head, *PART.findall(key)]
        where = found
        for part in parts[:-1]:
            where = where.setdefault(part or str(len(where)), {})
            if not isinstance(where, dict):
                raise invalid(f"Invalid parameter: {key}", code="parameter_invalid_string_blank", param=key)
        where[parts[-1] or str(len(where))] = value
    return found


class Form:
    """Parameters, each read once; `done` refuses what is left."""

    def __init__(self, values: Mapping[str, Any], *, prefix: str = "") -> None:
        self._values = dict(values)
        self._prefix = prefix

    def name(self, key: str) -> str:
        """Return the full name of a parameter, as errors name it."""
        return f"{self._prefix}[{key}]" if self._prefix else key

    def text(self, key: str, default: str = "") -> str:
        """Return a text, or the default if it isn't given."""
        value = self._values.pop(key, default)
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {self.name(key)}", code="parameter_invalid_string", param=self.name(key))
        return value

    def need(self, key: str) -> str:
        """Return a text that has to be given."""
        value = self.text(key)
        if not value:
            raise invalid(f"Missing required param: {self.name(key)}.", code="parameter_missing", param=self.name(key))
        return value

    def choice(self, key: str, *choices: str, default: str = "") -> str:
        """Return one of some words."""
        value = self.text(key, default)
        if value and value not in choices:
            sentence = f"Invalid {self.name(key)}: must be one of {', '.join(choices)}"
            raise invalid(sentence, code="parameter_invalid", param=self.name(key))
        return value

    def integer(self, key: str) -> int | None:
        """Return a whole number, or None if it isn't given."""
        value = self.text(key)
        if not value:
            return None
        if not re.fullmatch(r"-?[0-9]{1,15}", value):
            raise invalid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=self.name(key))
        return int(value)

    def amount(self, key: str = "amount") -> int | None:
        """Return an amount in minor units, at least 1, or None if it isn't given."""
        value = self.integer(key)
        if value is not None and value < 1:
            raise invalid(
                "This value must be greater than or equal to 1.",
                code="parameter_invalid_integer",
                param=self.name(key),
            )
        if value is not None and value > AMOUNT_MAX:
            raise invalid("Amount must be no more than 99999999.", code="amount_too_large", param=self.name(key))
        return value

    def need_amount(self, key: str = "amount") -> int:
        """Return an amount that has to be given."""
        value = self.amount(key)
        if value is None:
            raise invalid(f"Missing required param: {self.name(key)}.", code="parameter_missing", param=self.name(key))
        return value

    def flag(self, key: str) -> bool:
        """Return whether a parameter is `true`."""
        return self.choice(key, "true", "false", default="false") == "true"

    def currency(self, key: str = "currency") -> str:
        """Return a currency in lower case, as Stripe answers it."""
        value = self.need(key).lower()
        if not re.fullmatch("[a-z]{3}", value):
            raise invalid(f"Invalid currency: {value}", code="parameter_invalid", param=self.name(key))
        return value

    def group(self, key: str) -> "Form":
        """Return the parameters below a name; none of them if it isn't given."""
        value = self._values.pop(key, {})
        if not isinstance(value, dict):
            raise invalid(f"Invalid object: {self.name(key)}", code="parameter_invalid", param=self.name(key))
        return Form(value, prefix=self.name(key))

    def has(self, key: str) -> bool:
        """Return whether a parameter is given and not yet read."""
        return key in self._values

    def is_group(self, key: str) -> bool:
        """Return whether a parameter has others below it."""
        return isinstance(self._values.get(key), dict)

    def groups(self, key: str) -> "list[Form]":
        """Return the members of a list of objects."""
        values = self._values.pop(key, {})
        return [Form(value, prefix=f"{self.name(key)}[{place}]") for place, value in values.items()]

    def texts(self, key: str) -> list[str]:
        """Return the members of a list of texts."""
        values = self._values.pop(key, {})
        return [str(value) for value in values.values()] if isinstance(values, dict) else [str(values)]

    def metadata(self) -> dict[str, str]:
        """Return the metadata, within Stripe's limits."""
        values = self._values.pop("metadata", {})
        if values == "":
            return {}
        found = {str(key): str(value) for key, value in values.items()}
        if len(found) > METADATA_KEYS_MAX or any(
            len(key) > METADATA_KEY_LENGTH_MAX or len(value) > METADATA_VALUE_LENGTH_MAX for key, value in found.items()
        ):
            raise invalid("Metadata is too large.", code="parameter_invalid", param=self.name("metadata"))
        return found

    def skip(self, *keys: str) -> None:
        """Take parameters that change nothing that a stand-in could show."""
        for key in keys:
            self._values.pop(key, None)

    def done(self) -> None:
        """Refuse what nobody has read."""
        for key in self._values:
            sentence = f"Received unknown parameter: {self.name(key)} (the stand-in has no effect for it)"
            raise invalid(sentence, code="parameter_unknown", param=self.name(key))
