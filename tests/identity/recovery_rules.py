"""What breaks the rules of recovery's tables, by the name of the rule (`test_identity_schema.py` tries each)."""

PERSON = "'00000000-0000-0000-0000-000000000001'"
NOBODY = "'00000000-0000-0000-0000-000000000009'"
HASH = "'$argon2id$x'"
NOW, LATER = "'2026-01-01T00:00:00Z'", "'2026-01-02T00:00:00Z'"
PHONE = "'+6591110002'"
SID = "'SM0123456789abcdef0123456789abcdef'"


def count(name: str, number: int = 1) -> str:
    return f"INSERT INTO identity.tried_count VALUES ({name}, {number}, {NOW})"


def budget(rest: str, period: str = "hour") -> str:
    return f"INSERT INTO identity.sms_budget VALUES ('{period}', {NOW}, {rest})"


def message(provider: str = "NULL", state: str = "sent", changed: str = NOW, key: str = "gen_random_uuid()") -> str:
    return f"INSERT INTO identity.text_message VALUES ({key}, {provider}, '{state}', NULL, {NOW}, {changed})"


def reset(rest: str, person: str = PERSON, phone: str = PHONE, end: str = LATER) -> str:
    """`rest`: proven_at, effective_at, password_hash, ended_at, outcome."""
    return f"INSERT INTO identity.password_reset VALUES (gen_random_uuid(), {person}, {phone}, {NOW}, {end}, {rest})"


def change(rest: str, person: str = PERSON, phone: str = PHONE, end: str = LATER) -> str:
    """`rest`: new_proven_at, old_proven_at, effective_at, ended_at, outcome."""
    return f"INSERT INTO identity.phone_change VALUES (gen_random_uuid(), {person}, {phone}, {NOW}, {end}, {rest})"


def outgoing(out_minor: int, person: str = PERSON, currency: str = "SGD") -> str:
    return f"INSERT INTO identity.capped_outgoing VALUES ({person}, '{currency}', {NOW}, {out_minor}, 100)"


def order(rest: str, key: str = NOBODY, currency: str = "SGD") -> str:
    return f"INSERT INTO identity.capped_order VALUES ({key}, {PERSON}, '{currency}', {rest})"


WAITS = f"{NOW}, {LATER}, {HASH}, NULL, NULL"
MOVES = f"{NOW}, NULL, {LATER}, NULL, NULL"
NOT_YET = "NULL, NULL, NULL, NULL, NULL"

BROKEN_RULES = {
    "tried_count_once": "; ".join([count("'a'")] * 2),
    "tried_count_name_is_short": count("repeat('a', 101)"),
    "tried_count_counts": count("'a'", 0),
    "sms_budget_period_known": budget("1, 1", period="year"),
    "one_sms_budget_per_period": f"{budget('1, 1')}; {budget('1, 1')}",
    "sms_budget_is_kept": budget("2, 1"),
    "sms_budget_tripped_in_its_period": budget("1, 1, '2025-12-31T00:00:00Z'"),
    "text_message_once": f"{message(key=NOBODY)}; {message(key=NOBODY)}",
    "text_message_of_one_provider_id": f"{message(SID)}; {message(SID)}",
    "text_message_provider_id_shape": message("'+6591110002'"),
    "text_message_state_known": message(state="read"),
    "text_message_changes_after_it_begins": message(changed="'2025-12-31T00:00:00Z'"),
    "text_message_never_goes_back": (
        f"{message(key=NOBODY, state='delivered')}; UPDATE identity.text_message SET state = 'failed'"
    ),
    "password_reset_of_a_person": reset(NOT_YET, person=NOBODY),
    "password_reset_phone_is_e164": reset(NOT_YET, phone="'9111'"),
    "password_reset_ends_after_it_begins": reset(NOT_YET, end=NOW),
    "reset_password_is_argon2id": reset(f"{NOW}, {LATER}, 'plain', NULL, NULL"),
    "password_reset_outcome_known": reset(f"{NOW}, {LATER}, NULL, {LATER}, 'lost'"),
    "password_reset_proven_by_a_person": reset(WAITS, person="NULL"),
    "password_reset_has_its_time_when_proven": reset(f"{NOW}, NULL, {HASH}, NULL, NULL"),
    "password_reset_waits": reset(f"{LATER}, {NOW}, {HASH}, NULL, NULL"),
    "password_reset_keeps_its_hash_while_it_waits": reset(f"{NOW}, {LATER}, NULL, NULL, NULL"),
    "password_reset_ends_with_an_outcome": reset(f"{NOW}, {LATER}, NULL, {LATER}, NULL"),
    "password_reset_ends_when_proven": reset(f"{LATER}, {LATER}, NULL, {NOW}, 'cancelled'"),
    "password_reset_applies_in_its_time": reset(f"{NOW}, {LATER}, NULL, {NOW}, 'applied'"),
    "one_password_reset_waits": f"{reset(WAITS)}; {reset(WAITS)}",
    "phone_change_of_a_person": change(NOT_YET, person=NOBODY),
    "new_phone_is_e164": change(NOT_YET, phone="'9111'"),
    "phone_change_ends_after_it_begins": change(NOT_YET, end=NOW),
    "phone_change_outcome_known": change(f"{NOW}, NULL, {LATER}, {LATER}, 'lost'"),
    "phone_change_has_its_time_when_proven": change(f"{NOW}, {NOW}, NULL, NULL, NULL"),
    "phone_change_waits_without_the_old_phone": change(f"{NOW}, NULL, {NOW}, NULL, NULL"),
    "phone_change_ends_with_an_outcome": change(f"{NOW}, NULL, {LATER}, {LATER}, NULL"),
    "phone_change_ends_when_proven": change(f"{LATER}, {LATER}, {LATER}, {NOW}, 'cancelled'"),
    "phone_change_applies_in_its_time": change(f"{NOW}, NULL, {LATER}, {NOW}, 'applied'"),
    "one_phone_change_waits": f"{change(MOVES)}; {change(MOVES)}",
    "capped_outgoing_of_a_person": outgoing(0, person=NOBODY),
    "one_capped_outgoing": f"{outgoing(0)}; {outgoing(0)}",
    "capped_outgoing_is_kept": outgoing(101),
    "capped_order_once": f"{outgoing(9)}; {order('5, 1')}; {order('4, 1')}",
    "capped_order_takes_something": f"{outgoing(0)}; {order('0, 1')}",
    "capped_order_is_attempted": f"{outgoing(0)}; {order('5, 0')}",
    "capped_order_stands_in_a_sum": order("5, 1", currency="EUR"),
}
# Ids that the edge makes at random.
ONLY_A_KEY = {"password_reset_once", "phone_change_once"}
TABLES = (
    "tried_count", "sms_budget", "text_message", "password_reset", "phone_change", "capped_outgoing", "capped_order",
)  # fmt: skip
FORBIDDEN = [
    "UPDATE identity.person SET username = username",
    "UPDATE identity.person SET created_at = created_at",
    "UPDATE identity.sms_budget SET begins_at = begins_at",
    "UPDATE identity.text_message SET created_at = created_at",
    "UPDATE identity.password_reset SET person_id = person_id",
    "UPDATE identity.phone_change SET new_phone = new_phone",
    "DELETE FROM identity.capped_outgoing",
    "UPDATE identity.capped_order SET amount_minor = 1",
]
