"""Who may do what: the one table of it. Every route of the console names a right, and asks here whether a role has it.

Rights and not roles stand at the routes, so that this table is all that has to be read to know what support can do.
docs/security/access-matrix.csv says the same of each route, and a test asks every route as every role.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from tikiwallet.identity.operator_accounts import OperatorRole
from tikiwallet.platform.errors import Kind, Refused

SUPPORT, RISK, FINANCE, ADMIN = OperatorRole


class RightMissing(Refused):
    """None of your roles may do this; ask an operator who may, or an admin for the role."""

    code, kind = "right_missing", Kind.FORBIDDEN


class Right(StrEnum):
    """Something that an operator may be allowed to do."""

    BE_SIGNED_IN = "be_signed_in"  # see who one is, sign out
    FIND_PEOPLE = "find_people"
    END_SESSIONS = "end_sessions"  # of a person
    SEE_STUCK = "see_stuck"  # everything that waits, of everybody
    FREEZE = "freeze"  # and let go again
    SEE_RISK = "see_risk"  # double spends, what is promised
    SEE_RECONCILIATION = "see_reconciliation"
    CORRECT = "correct"  # propose a correction; approve or reject one of somebody else
    SET_TIER = "set_tier"
    MANAGE_OPERATORS = "manage_operators"  # see, change roles, disable; making one needs the server


RIGHTS: Final[dict[Right, frozenset[OperatorRole]]] = {
    Right.BE_SIGNED_IN: frozenset(OperatorRole),
    Right.FIND_PEOPLE: frozenset({SUPPORT, RISK}),
    Right.END_SESSIONS: frozenset({SUPPORT, RISK}),
    Right.SEE_STUCK: frozenset({SUPPORT, RISK, FINANCE}),
    Right.FREEZE: frozenset({RISK}),
    Right.SEE_RISK: frozenset({RISK}),
    Right.SEE_RECONCILIATION: frozenset({FINANCE}),
    Right.CORRECT: frozenset({FINANCE}),
    Right.SET_TIER: frozenset({ADMIN}),
    Right.MANAGE_OPERATORS: frozenset({ADMIN}),
}


def rights_of(roles: Collection[OperatorRole]) -> list[Right]:
    """Return what somebody with these roles may do, in the order of `Right`."""
    return [right for right in Right if RIGHTS[right] & set(roles)]


def require_right(right: Right, roles: Collection[OperatorRole]) -> None:
    """Return if one of the roles has the right. Refusal: `RightMissing`."""
    if not RIGHTS[right] & set(roles):
        raise RightMissing
