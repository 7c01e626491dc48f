"""What the audit log of identity holds: every act that decides who may use a wallet, and how far.

The words are stored for ever: one is never renamed or reused.
"""

from enum import StrEnum
from typing import Final

from tikiwallet.identity.queries import SQL
from tikiwallet.platform.audit import Audit, AuditQueries

# Holds no state: `await AUDIT.record(tx, Act.SIGNED_IN, by=by, about=person_id, now=now)` ends a transaction.
AUDIT: Final = Audit(
    "identity",
    AuditQueries(
        insert_entry=SQL["insert_audit_entry"],
        entries_after=SQL["audit_entries_after"],
        entries_about=SQL["audit_entries_about"],
        head=SQL["audit_head"],
    ),
)


class Act(StrEnum):
    """An audited act, in the past tense. Whoever adds an act to the wallet adds its word here."""

    SIGNED_UP = "signed_up"
    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"  # reason: the code of the refusal
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"  # another one of the person's: which
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  (a word, no password)
    PASSWORD_RESET_PROVEN = "password_reset_proven"  # noqa: S105  it works later: from when
    PHONE_CHANGED = "phone_changed"
    PHONE_CHANGE_PROVEN = "phone_change_proven"  # it moves later: from when
    CHANGE_CANCELLED = "change_cancelled"  # which: of the password or the phone
    RECOVERY_CODES_MADE = "recovery_codes_made"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    PERSON_VERIFIED = "person_verified"  # how, by which document of which country, valid until
    TIER_CHANGED = "tier_changed"  # before, after
    STATE_CHANGED = "state_changed"  # before, after, reason
    DATA_EXPORTED = "data_exported"
    ERASED = "erased"

    # Of operators: what they are, and what they did that changes nothing. What they change has its act above.
    OPERATOR_ADDED = "operator_added"  # operator, roles
    OPERATOR_ROLES_CHANGED = "operator_roles_changed"  # operator, before, after, reason
    OPERATOR_DISABLED = "operator_disabled"  # operator, reason
    OPERATOR_LINK_MADE = "operator_link_made"  # operator; the key and the sessions before it are gone
    OPERATOR_ENROLLED = "operator_enrolled"
    OPERATOR_SIGNED_IN = "operator_signed_in"
    OPERATOR_SIGN_IN_REFUSED = "operator_sign_in_refused"  # reason: the code of the refusal
    OPERATOR_SIGNED_OUT = "operator_signed_out"
    OPERATOR_REFUSED = "operator_refused"  # what: a right that none of the operator's roles has
    OPERATOR_LOOKED_AT = "operator_looked_at"  # what: a list
    PERSON_LOOKED_UP = "person_looked_up"  # reason
    SESSIONS_ENDED_BY_OPERATOR = "sessions_ended_by_operator"  # reason
