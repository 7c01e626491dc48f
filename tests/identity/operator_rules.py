"""The rules about operators that the database holds: what breaks each, and those that need nothing but a key."""

OPERATOR, DISABLED, SECOND = [f"'00000000-0000-0000-0000-00000000000{number}'" for number in range(1, 4)]
NOW = "'2026-01-01T00:00:00Z'::timestamptz"
HASH, OTHER_HASH = "repeat('x', 32)::bytea", "repeat('y', 32)::bytea"
SESSION = "INSERT INTO identity.operator_session VALUES (gen_random_uuid(), {}, {}, {}, {}, {}, {}, {})"


def operator(name: str, roles: str = "{support}", ends: str = "NULL") -> str:
    return f"INSERT INTO identity.operator VALUES (gen_random_uuid(), '{name}', '{roles}', {NOW}, {ends})"


def session(
    who: str = OPERATOR, *, token: str = OTHER_HASH, minutes: int = 360, ended: str = "NULL", label: str = "''"
) -> str:
    return SESSION.format(who, token, label, NOW, NOW, f"{NOW} + interval '{minutes} minutes'", ended)


def enrolment(who: str = OPERATOR, *, token: str = HASH, minutes: int = 15) -> str:
    return (
        f"INSERT INTO identity.operator_enrolment VALUES ({who}, {token}, {NOW}, {NOW} + interval '{minutes} minutes')"
    )


def passkey(who: str = OPERATOR, *, credential: str = HASH, count: int = 0) -> str:
    return f"INSERT INTO identity.operator_passkey VALUES ({who}, {credential}, ''::bytea, {count}, {NOW}, NULL)"


def challenge(value: str = HASH, minutes: int = 5) -> str:
    return (
        f"INSERT INTO identity.operator_challenge VALUES ({value}, NULL, {NOW}, {NOW} + interval '{minutes} minutes')"
    )


SEEN = "UPDATE identity.operator_session SET last_seen_at = last_seen_at + interval '{} minutes'"
BROKEN = {
    operator("olivia"): "operator_name_once",
    operator("Olivia"): "operator_name_is_a_word",
    operator("sam", "{}"): "operator_roles_known",
    operator("sam", "{support,king}"): "operator_roles_known",
    operator("sam", ends=f"{NOW} - interval '1 second'"): "operator_disabled_after_it_was_made",
    f"UPDATE identity.operator SET disabled_at = NULL WHERE operator_id = {DISABLED}": (
        "a_disabled_operator_stays_disabled"
    ),
    enrolment(minutes=16): "enrolment_lives_fifteen_minutes",
    enrolment(token="'short'::bytea"): "enrolment_token_is_hashed",
    enrolment(DISABLED): "enrolment_only_of_the_enabled",
    passkey(DISABLED): "passkey_only_of_the_enabled",
    passkey(credential="'short'::bytea"): "operator_credential_length",
    passkey(count=-1): "operator_sign_count_is_32_bits",
    challenge(minutes=6): "operator_challenge_lives_five_minutes",
    challenge("'short'::bytea"): "operator_challenge_length",
    session(DISABLED): "session_only_of_the_enabled",
    session(token=HASH): "operator_token_once",
    session(token="'short'::bytea"): "operator_token_is_hashed",
    session(label="repeat('l', 41)"): "operator_label_is_short",
    session(minutes=361): "operator_session_lives_six_hours",
    session(ended=f"{NOW} - interval '1 second'"): "operator_session_ends_after_it_begins",
    SEEN.format(30): "an_ended_operator_session_stays_ended",
    SEEN.format(-1): "operator_session_seen_after_it_begins",
}
# Once an operator has a link, a passkey and a challenge.
BROKEN_TWICE = {
    enrolment(token=OTHER_HASH): "one_enrolment_of_an_operator",
    enrolment(SECOND): "enrolment_token_once",
    passkey(credential=OTHER_HASH): "one_passkey_of_an_operator",
    passkey(SECOND): "credential_of_one_operator",
    challenge(): "operator_challenge_once",
    f"UPDATE identity.operator_passkey SET last_used_at = {NOW} - interval '1 second'": (
        "operator_passkey_used_after_it_was_made"
    ),
}
# No statement breaks these: ids are random, and the triggers look for the operator first.
ONLY_A_KEY = {
    "operator_once", "operator_session_once", "enrolment_of_an_operator", "passkey_of_an_operator",
    "session_of_an_operator", "challenge_of_an_operator",
}  # fmt: skip
TRIED = {*BROKEN.values(), *BROKEN_TWICE.values(), *ONLY_A_KEY}
