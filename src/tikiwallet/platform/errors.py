"""The ways to say no. A refusal has a public, stable code; everything else that is raised is a bug.

`platform/problems.py` holds the only table from `Kind` to an HTTP status.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import msgspec


class Kind(StrEnum):
    """What sort of "no" it is: it decides the HTTP status, and whether asking again can help."""

    INVALID = "invalid"  # the request itself is wrong
    UNAUTHENTICATED = "unauthenticated"  # nobody is signed in
    FORBIDDEN = "forbidden"  # signed in, and still not allowed
    MISSING = "missing"  # no such thing, or not yours to see
    CONFLICT = "conflict"  # the thing is in a state that doesn't allow it
    UNPROCESSABLE = "unprocessable"  # well formed, but a rule of the wallet says no
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"  # slow down
    UNAVAILABLE = "unavailable"  # try again later, nothing has happened


class PassedLimit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which limit stood in the way: how much is left below it, and when it begins anew."""

    limit: str
    left_minor: int | None = None  # None: not for this person to know
    currency: str = ""
    resets_at: datetime | None = None  # None: never by itself


class Refused(Exception):
    """A "no" that goes straight back to the person.

    Subclasses set `code` (stable, snake_case) and `kind`; their docstring is the sentence the person reads.
    `detail` says more about this one case and must not name other people or secrets; `methods` are the ways to go on,
    for a client that can take one of them.
    """

    code: ClassVar[str]
    kind: ClassVar[Kind]

    def __init__(
        self,
        detail: str = "",
        *,
        field: str = "",
        retry_after_seconds: int | None = None,
        methods: Sequence[str] = (),
        passed: PassedLimit | None = None,
    ) -> None:
        super().__init__(detail or self.sentence())
        self.detail = detail or self.sentence()
        self.field = field
        self.retry_after_seconds = retry_after_seconds
        self.methods = tuple(methods)
        self.passed = passed

    @classmethod
    def sentence(cls) -> str:
        """Return the docstring as one line: the sentence for the person."""
        return " ".join((cls.__doc__ or "").split())
