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
