"""The database holds the rules too, each under its name, and each role may do the least it needs."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import operator_rules
import pytest
import recovery_rules

PERSON = "'00000000-0000-0000-0000-000000000001'"
HASH = "'$argon2id$x'"
NOW = "'2026-01-01T00:00:00Z'"
INSERT_PERSON = (
    "INSERT INTO identity.person (person_id, username, phone, password_hash, tier, state, created_at) VALUES "
)
INSERT_SESSION = (
    "INSERT INTO identity.session (session_id, person_id, issued_at, expires_at, revoked_at, label, last_seen_at) "
    "VALUES "
)
INSERT_CODE = (
    "INSERT INTO identity.one_time_code "
    "(purpose, request_id, code_hash, expires_at, attempts, attempts_max, sends, sends_max, consumed_at) VALUES "
)
INSERT_REGISTRATION = "INSERT INTO identity.registration VALUES "
INSERT_ENTRY = "INSERT INTO identity.audit_entry (at, act, actor, address, label, detail) VALUES "
INSERT_PASSKEY = "INSERT INTO identity.passkey VALUES "
INSERT_CHALLENGE = "INSERT INTO identity.passkey_challenge VALUES "
INSERT_RECOVERY = "INSERT INTO identity.recovery_code VALUES "
INSERT_KEY = "INSERT INTO identity.signing_key VALUES "
PEM = "'-----BEGIN PRIVATE KEY-----'"
CODE_HASH = "repeat('x', 32)::bytea"
SESSION = "'00000000-0000-0000-0000-0000000000aa'"
OTHER_SESSION = "'00000000-0000-0000-0000-0000000000bb'"


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"{INSERT_PERSON} ({PERSON}, 'alice', '+6591110001', {HASH}, 'phone', 'active', {NOW})")
    await connection.execute(f"{INSERT_KEY} ('k0', {PEM}, {NOW}, NULL)")
    for session_id, first in ((SESSION, "0"), (OTHER_SESSION, "b")):
        await connection.execute(
            "INSERT INTO identity.session (session_id, person_id, issued_at, expires_at) "
            f"SELECT {session_id}, {PERSON}, now(), now() + interval '6 hours'"
        )
        await connection.execute(token(first, of=session_id))
    yield connection
    await connection.close()


def person(username: str = "bob", phone: str = "+6591110002", password: str = HASH, tier: str = "phone") -> str:
    return f"{INSERT_PERSON} (gen_random_uuid(), '{username}', '{phone}', {password}, '{tier}', 'active', {NOW})"


def session(minutes: int, revoked: str = "NULL", label: str = "''", seen: str = "NULL") -> str:
    end = f"timestamptz {NOW} + interval '{minutes} minutes'"
    return f"{INSERT_SESSION} (gen_random_uuid(), {PERSON}, {NOW}, {end}, {revoked}, {label}, {seen})"


def code(rest: str, purpose: str = "registration", code_hash: str = CODE_HASH) -> str:
    return f"{INSERT_CODE} ('{purpose}', {PERSON}, {code_hash}, {NOW}, {rest})"


def registration(values: str) -> str:
    return f"{INSERT_REGISTRATION} (gen_random_uuid(), gen_random_uuid(), {values})"


def entry(
    act: str = "signed_in", actor: str = "nobody", address: str = "''", label: str = "''", detail: str = "{}"
) -> str:
    return f"{INSERT_ENTRY} ({NOW}, '{act}', '{actor}', {address}, {label}, '{detail}')"


def proven(at: str, by: str) -> str:
    return f"{session(minutes=1)}; UPDATE identity.session SET proved_at = {at}, proved_by = {by}"


def passkey(
    no: int = 1, credential: str = "'1'", sign_count: str = "0", name: str = "'x'", used: str = "NULL", of: str = PERSON
) -> str:
    held = f"decode(repeat('0{credential[1]}', 16), 'hex'), '', {sign_count}, {name}, {NOW}, {used}"
    return f"{INSERT_PASSKEY} (gen_random_uuid(), {of}, {no}, {held})"


def challenge(size: int = 32, purpose: str = "'sign_in'", of: str = "NULL", ends: str = "1 minute") -> str:
    end = f"timestamptz {NOW} + interval '{ends}'"
    return f"{INSERT_CHALLENGE} (repeat('x', {size})::bytea, {purpose}, {of}, {NOW}, {end})"


def recovery(no: int = 1, code_hash: str = CODE_HASH, used: str = "NULL", of: str = PERSON) -> str:
    return f"{INSERT_RECOVERY} ({of}, {no}, {code_hash}, {NOW}, {used})"


OTHER_HASH = "repeat('y', 32)::bytea"
BEFORE = "'2025-12-31T00:00:00Z'"


def token(digit: str, follows: str = "NULL", of: str = SESSION, hashed: str = "") -> str:
    made = hashed or f"'\\x{digit * 64}'"
    after = f"'\\x{follows * 64}'" if follows != "NULL" else follows
    return f"INSERT INTO identity.refresh_token VALUES ({made}, {of}, {after}, {NOW})"


def device(device_hash: str = CODE_HASH, label: str = "''", seen: str = NOW, of: str = "") -> str:
    return f"INSERT INTO identity.known_device VALUES ({of or PERSON}, {device_hash}, {label}, {NOW}, {seen})"


def notice(kind: str = "new_device", label: str = "''", dismissed: str = "NULL", of: str = "") -> str:
    return (
        f"INSERT INTO identity.notice VALUES "
        f"(gen_random_uuid(), {of or PERSON}, '{kind}', {PERSON}, {label}, {NOW}, {dismissed})"
    )


NOBODY = "'00000000-0000-0000-0000-000000000009'"
BROKEN_RULES = {
    "username_of_one_person": person(username="ALICE"),
    "username_shape": person(username="b"),
    "phone_of_one_person": person(phone="+6591110001"),
    "phone_is_e164": person(phone="91110002"),
    "password_is_argon2id": person(password="'plain text'"),
    "tier_known": person(tier="king"),
    "person_state_known": person().replace("'active'", "'gone'"),
    "freeze_reason_known": f"UPDATE identity.person SET frozen_because = 'whim' WHERE person_id = {PERSON}",
    "frozen_for_a_reason": f"UPDATE identity.person SET state = 'frozen' WHERE person_id = {PERSON}",
    "closed_since_an_instant": f"UPDATE identity.person SET closed_at = now() WHERE person_id = {PERSON}",
    "only_who_left_is_erased": f"UPDATE identity.person SET erased_at = now() WHERE person_id = {PERSON}",
    "person_state_follows_the_rules": f"UPDATE identity.person SET state = 'closed', closed_at = now() "
    f"WHERE person_id = {PERSON}",
    "person_once": f"{INSERT_PERSON} ({PERSON}, 'bob', '+6591110002', {HASH}, 'phone', 'active', {NOW})",
    "session_ends_after_it_begins": session(minutes=0),
    "session_at_most_six_hours": session(minutes=361),
    "session_revoked_after_it_begins": session(minutes=1, revoked="'2025-12-31T00:00:00Z'"),
    "session_label_is_short": session(minutes=1, label="repeat('x', 41)"),
    "session_seen_after_it_begins": session(minutes=1, seen="'2025-12-31T00:00:00Z'"),
    "session_of_a_person": session(minutes=1).replace(PERSON, NOBODY),
    "session_deleted_after_its_end": f"DELETE FROM identity.session WHERE session_id = {SESSION}",
    "refresh_token_once": f"{token('1', '0')}; {token('1', '0')}",
    "refresh_token_is_hashed": token("", "0", hashed="'\\x00'"),
    "refresh_token_of_a_session": token("1", of=NOBODY),
    "refresh_token_replaced_once": f"{token('1', '0')}; {token('2', '0')}",
    "refresh_token_follows_one_of_its_session": token("1", "b"),
    "one_first_refresh_token": token("1"),
    "device_of_a_person": device(of=NOBODY),
    "device_is_hashed": device("'\\x00'"),
    "device_label_is_short": device(label="repeat('x', 41)"),
    "device_once": f"{device()}; {device()}",
    "device_seen_after_it_was_new": device(seen="'2025-12-31T00:00:00Z'"),
    "notice_of_a_person": notice(of=NOBODY),
    "notice_kind_is_a_word": notice("New!"),
    "notice_label_is_short": notice(label="repeat('x', 41)"),
    "notice_dismissed_after_it_was_made": notice(dismissed="'2025-12-31T00:00:00Z'"),
    "code_purpose_known": code("0, 5, 1, 5, NULL", purpose="lottery"),
    "code_is_hashed": code("0, 5, 1, 5, NULL", code_hash="'123456'"),
    "code_attempts_within_max": code("6, 5, 1, 5, NULL"),
    "code_sends_within_max": code("0, 5, 6, 5, NULL"),
    "code_used_while_valid": code(f"1, 5, 1, 5, {NOW}"),
    "one_code_per_request": f"{code('0, 5, 1, 5, NULL')}; {code('0, 5, 1, 5, NULL')}",
    "registration_ends_after_it_begins": registration(f"'+6591110002', 'bob', {HASH}, {NOW}, {NOW}"),
    "registration_phone_is_e164": registration(f"'9111', 'bob', {HASH}, {NOW}, 'infinity'"),
    "registration_username_shape": registration(f"'+6591110002', '1bob', {HASH}, {NOW}, 'infinity'"),
    "registration_password_is_argon2id": registration(f"'+6591110002', 'bob', 'plain', {NOW}, 'infinity'"),
    "audit_act_is_a_word": entry(act="Signed in!"),
    "audit_has_an_actor": entry(actor="somebody"),
    "audit_address_is_short": entry(address="repeat('1', 65)"),
    "audit_label_is_short": entry(label="repeat('x', 41)"),
    "audit_detail_is_an_object": entry(detail="[1]"),
    "audit_names_no_phone": entry(detail='{"phone":"+6591110001"}'),
    "audit_is_append_only": "UPDATE identity.audit_entry SET actor = 'nobody'",
    "audit_head_is_one": "INSERT INTO identity.audit_head VALUES (false, 0, sha256(''))",
    "one_audit_head": "INSERT INTO identity.audit_head VALUES (true, 0, sha256(''))",
    "audit_counts_up": "UPDATE identity.audit_head SET entry_count = -1",
    "audit_head_is_a_hash": "UPDATE identity.audit_head SET head_hash = '1'",
    "session_proved_after_it_begins": proven(BEFORE, "'password'"),
    "proof_known": proven(NOW, "'smile'"),
    "proof_is_whole": proven(NOW, "NULL"),
    "passkey_of_a_person": passkey(of=NOBODY),
    "passkeys_within_max": passkey(no=11),
    "credential_of_one_passkey": f"{passkey()}; {passkey(no=2)}",
    "credential_id_length": passkey().replace("16", "15"),
    "sign_count_is_32_bits": passkey(sign_count="4294967296"),
    "passkey_name_length": passkey(name="''"),
    "passkey_used_after_it_was_made": passkey(used=BEFORE),
    "passkey_number_of_a_person": passkey() + "; " + passkey(credential="'2'"),
    "challenge_once": f"{challenge()}; {challenge()}",
    "challenge_length": challenge(size=31),
    "challenge_purpose_known": challenge(purpose="'lottery'", of=NOBODY),
    "challenge_of_a_session": challenge(purpose="'step_up'", of=NOBODY),
    "challenge_lives_five_minutes": challenge(ends="5 minutes 1 second"),
    "challenge_bound_to_its_session": challenge(purpose="'step_up'"),
    "recovery_code_of_a_person": recovery(of=NOBODY),
    "ten_recovery_codes": recovery(no=11),
    "recovery_code_is_hashed": recovery(code_hash="'12345'"),
    "recovery_code_used_after_it_was_made": recovery(used=BEFORE),
    "recovery_code_number": f"{recovery()}; {recovery(code_hash=OTHER_HASH)}",
    "recovery_codes_differ": f"{recovery()}; {recovery(no=2)}",
    "one_signing_key_at_work": f"{INSERT_KEY} ('k1', {PEM}, {NOW}, NULL)",
    "signing_key_once": f"{INSERT_KEY} ('k0', {PEM}, {NOW}, 'infinity')",
    "signing_key_is_private_pem": f"{INSERT_KEY} ('k1', 'public', {NOW}, 'infinity')",
    "signing_key_retired_after_it_begins": f"{INSERT_KEY} ('k1', {PEM}, {NOW}, '-infinity')",
    **recovery_rules.BROKEN_RULES,
}


FORBIDDEN = [
    "DELETE FROM identity.person",
    "UPDATE identity.person SET erased_at = now()",
    "UPDATE identity.audit_entry SET actor = 'nobody'",
    "DELETE FROM identity.audit_entry",
    "TRUNCATE identity.audit_entry",
    "UPDATE identity.audit_head SET entry_count = 0",
    (
        "INSERT INTO identity.audit_entry (entry_no, at, act, actor, address, label, detail) "
        "VALUES (9, now(), 'signed_in', 'nobody', '', '', '{}')"
    ),
    "UPDATE identity.refresh_token SET follows_hash = NULL",
    "DELETE FROM identity.refresh_token",
    "UPDATE identity.known_device SET person_id = person_id",
    "UPDATE identity.notice SET session_id = session_id",
    "UPDATE identity.session SET expires_at = expires_at",
    "UPDATE identity.session SET label = label",
    "UPDATE identity.passkey SET public_key = public_key",
    "UPDATE identity.passkey SET person_id = person_id",
    "UPDATE identity.passkey_challenge SET expires_at = expires_at",
    "UPDATE identity.recovery_code SET code_hash = code_hash",
    "UPDATE identity.one_time_code SET attempts_max = 100",
    "UPDATE identity.signing_key SET private_pem = private_pem",
    "DELETE FROM identity.signing_key",
    "CREATE TABLE identity.mine ()",
    *recovery_rules.FORBIDDEN,
]
# Ids that the edge makes at random; their uniqueness is the primary key and nothing more.
# So are the number and the hash of an entry, which a trigger gives.
ONLY_A_KEY = {
    "registration_once",
    "registration_makes_one_person",
    "session_once",
    "passkey_once",
    "audit_entry_once",
    "audit_entry_follows_one",
    "notice_once",
    "refresh_token_in_one_session",
}
ONLY_A_KEY |= recovery_rules.ONLY_A_KEY


async def test_the_database_refuses_what_breaks_a_rule_and_names_it(owner: asyncpg.Connection) -> None:
    for rule, statement in BROKEN_RULES.items():
        with pytest.raises(asyncpg.IntegrityConstraintViolationError) as broken:
            await owner.execute(statement)
        assert broken.value.constraint_name == rule


async def test_every_rule_of_the_schema_is_tried(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT conname FROM pg_constraint WHERE connamespace = 'identity'::regnamespace AND contype <> 'n'"
    )
    assert {row["conname"] for row in rows} - set(BROKEN_RULES) - operator_rules.TRIED == ONLY_A_KEY


async def test_what_has_ended_never_lives_again(owner: asyncpg.Connection) -> None:
    await owner.execute("SET ROLE tikiwallet_identity")
    seen = "SELECT last_seen_at - issued_at FROM identity.session WHERE session_id = " + SESSION
    see = f"UPDATE identity.session SET last_seen_at = issued_at + interval '%s' WHERE session_id = {SESSION}"
    await owner.execute(see % "59 minutes")
    await owner.execute(see % "119 minutes")  # an hour after it was seen: too late, and the write keeps what stands
    assert await owner.fetchval(seen) == timedelta(minutes=59)
    await owner.execute(see % "118 minutes")
    assert await owner.fetchval(seen) == timedelta(minutes=118)
    ended = "UPDATE identity.session SET revoked_at = %s RETURNING revoked_at IS NULL"
    assert await owner.fetchval(ended % "now()") is False
    assert await owner.fetchval(ended % "NULL") is False


async def test_the_context_itself_may_not_rewrite_history(owner: asyncpg.Connection) -> None:
    await owner.execute("SET ROLE tikiwallet_identity")
    for statement in FORBIDDEN:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(statement)


async def test_other_contexts_may_not_read_people_or_keys(owner: asyncpg.Connection) -> None:
    for context in ("ledger", "payments", "offline", "funding"):
        await owner.execute(f"SET ROLE tikiwallet_{context}")
        for table in (
            "signing_key", "person", "session", "one_time_code", "registration", "audit_entry", "passkey",
            "passkey_challenge", "recovery_code", "refresh_token", "known_device", "notice", *recovery_rules.TABLES,
        ):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await owner.fetch(f"SELECT * FROM identity.{table}")
        await owner.execute("RESET ROLE")
