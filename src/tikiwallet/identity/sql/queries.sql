-- The named queries of the identity context. Instants are arguments: one clock per request, at the edge.

-- person_by_phone --
-- Who closed a wallet and opened another with the same phone is the one who is still there.
SELECT person_id, username, phone, tier, state, frozen_because, password_hash FROM identity.person
WHERE phone = $1 ORDER BY (state = 'closed'), closed_at DESC LIMIT 1;

-- username_is_taken --
SELECT true FROM identity.person WHERE lower(username COLLATE "C") = lower($1 COLLATE "C");

-- sessions_and_people --
-- Sessions that nobody ended, each with its person, and people by id, by phone number and by username in lower case: a
-- look into an index each, whoever asks for what. Who has left is found by id only: for histories.
-- LIMIT keeps the planner from reading all people at once, which it takes for cheap while a city is small.
SELECT s.session_id, s.issued_at, s.expires_at, s.last_seen_at,
    p.person_id, p.username, p.phone, p.tier, p.state, p.frozen_because, p.outgoing_capped_until
FROM identity.session AS s
CROSS JOIN LATERAL (
    SELECT * FROM identity.person AS q WHERE q.person_id = s.person_id AND q.state <> 'closed' LIMIT 1
) AS p
WHERE s.session_id = ANY($1::uuid[]) AND s.revoked_at IS NULL
UNION ALL
SELECT NULL, NULL, NULL, NULL, person_id, username, phone, tier, state, frozen_because, outgoing_capped_until
FROM identity.person WHERE person_id = ANY($2::uuid[])
UNION ALL
SELECT NULL, NULL, NULL, NULL, person_id, username, phone, tier, state, frozen_because, outgoing_capped_until
FROM identity.person WHERE phone = ANY($3::text[]) AND state <> 'closed'
UNION ALL
SELECT NULL, NULL, NULL, NULL, person_id, username, phone, tier, state, frozen_because, outgoing_capped_until
FROM identity.person WHERE lower(username COLLATE "C") = ANY($4::text[]) AND state <> 'closed';

-- person_by_id --
SELECT person_id, username, phone, tier, state, frozen_because FROM identity.person WHERE person_id = $1;

-- credentials_of_person --
SELECT person_id, username, phone, tier, state, frozen_because, password_hash FROM identity.person WHERE person_id = $1;

-- people_after --
SELECT person_id, username, phone, tier, state, frozen_because FROM identity.person
WHERE person_id > $1 AND state <> 'closed' ORDER BY person_id LIMIT $2;

-- insert_person --
INSERT INTO identity.person (person_id, username, phone, password_hash, tier, created_at)
VALUES ($1, $2, $3, $4, $5, $6);

-- lock_person --
SELECT tier, state, frozen_because, accounts_close_at FROM identity.person WHERE person_id = $1 FOR UPDATE;

-- set_person_tier --
UPDATE identity.person SET tier = $2 WHERE person_id = $1;

-- set_person_state --
UPDATE identity.person SET state = $2, frozen_because = $3, closed_at = $4 WHERE person_id = $1;

-- begin_closing_accounts --
UPDATE identity.person SET accounts_close_at = coalesce(accounts_close_at, $2)
WHERE person_id = $1 AND state = 'closing' RETURNING true;

-- people_leaving --
SELECT person_id FROM identity.person WHERE state = 'closing' ORDER BY person_id;

-- people_to_erase --
SELECT person_id FROM identity.person
WHERE state = 'closed' AND erased_at IS NULL AND closed_at <= $1 ORDER BY closed_at LIMIT $2;

-- passkeys_to_export --
SELECT name, created_at, last_used_at FROM identity.passkey WHERE person_id = $1 ORDER BY created_at;

-- devices_to_export --
SELECT label, first_seen_at, last_seen_at FROM identity.known_device WHERE person_id = $1 ORDER BY first_seen_at;

-- notices_to_export --
SELECT kind, label, noticed_at, dismissed_at FROM identity.notice WHERE person_id = $1 ORDER BY noticed_at;

-- erase_person --
SELECT identity.erase_person($1, $2);

-- person_to_export --
SELECT person_id, username, phone, tier, state, frozen_because, created_at, closed_at FROM identity.person
WHERE person_id = $1;

-- sessions_to_export --
SELECT session_id, label, issued_at, last_seen_at, expires_at, revoked_at FROM identity.session
WHERE person_id = $1 ORDER BY issued_at, session_id;

-- end_sessions_of_person --
UPDATE identity.session SET revoked_at = greatest($2, issued_at) WHERE person_id = $1 AND revoked_at IS NULL;

-- insert_audit_entry --
-- The trigger gives it its number and its place in the chain.
INSERT INTO identity.audit_entry (at, act, actor, subject, address, session_id, label, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- audit_entries_after --
SELECT entry_no, at, act, actor, subject, address, session_id, label, detail, previous_hash, entry_hash
FROM identity.audit_entry WHERE entry_no > $1 ORDER BY entry_no LIMIT $2;

-- audit_entries_about --
SELECT entry_no, at, act, actor, subject, address, session_id, label, detail, previous_hash, entry_hash
FROM identity.audit_entry WHERE subject = $1 AND entry_no > $2 ORDER BY entry_no LIMIT $3;

-- audit_head --
SELECT entry_count, head_hash FROM identity.audit_head;

-- insert_registration --
INSERT INTO identity.registration (registration_id, person_id, phone, username, password_hash, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- registration_by_id --
SELECT registration_id, person_id, phone, username, password_hash, expires_at
FROM identity.registration WHERE registration_id = $1 AND expires_at > $2;

-- forget_old_registrations --
-- A few with every sign-up, so that the phones and passwords of people who never came back don't pile up.
WITH old AS (
    DELETE FROM identity.registration WHERE registration_id IN (
        SELECT registration_id FROM identity.registration WHERE expires_at < $1
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING registration_id
)
DELETE FROM identity.one_time_code USING old WHERE purpose = 'registration' AND request_id = old.registration_id;

-- insert_code --
INSERT INTO identity.one_time_code (purpose, request_id, code_hash, expires_at, attempts_max, sends_max)
VALUES ($1, $2, $3, $4, $5, $6);

-- code_state --
SELECT expires_at, attempts, attempts_max, sends, sends_max, consumed_at
FROM identity.one_time_code WHERE purpose = $1 AND request_id = $2;

-- replace_code --
-- The tries stay as they are: asking for a fresh code must not buy fresh guesses.
UPDATE identity.one_time_code SET code_hash = $3, expires_at = $4, sends = sends + 1
WHERE purpose = $1 AND request_id = $2 AND consumed_at IS NULL AND attempts < attempts_max AND sends < sends_max
RETURNING sends;

-- count_code_attempt --
-- Counted before the code is compared, so that neither a crash nor a hundred requests at once give a free guess.
UPDATE identity.one_time_code SET attempts = attempts + 1
WHERE purpose = $1 AND request_id = $2 AND consumed_at IS NULL AND expires_at > $3 AND attempts < attempts_max
RETURNING code_hash, attempts_max - attempts AS attempts_left;

-- consume_code --
UPDATE identity.one_time_code SET consumed_at = $3
WHERE purpose = $1 AND request_id = $2 AND consumed_at IS NULL AND expires_at > $3 AND code_hash = $4
RETURNING request_id;

-- insert_session --
-- Who signs in has just proven who they are.
INSERT INTO identity.session (session_id, person_id, issued_at, expires_at, label, proved_at, proved_by)
VALUES ($1, $2, $3, $4, $5, $3, $6);

-- see_session --
-- Never backwards: another machine's clock may be a little behind.
UPDATE identity.session SET last_seen_at = greatest($2, issued_at, last_seen_at) WHERE session_id = $1;

-- live_sessions_of_person --
-- Newest first; more than a person could look through are not shown, and end by themselves.
SELECT session_id, label, issued_at, last_seen_at, expires_at FROM identity.session
WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND coalesce(last_seen_at, issued_at) > $3
ORDER BY issued_at DESC, session_id LIMIT $4;

-- revoke_session_of_person --
-- An ended one stays as it ended, and is found all the same: ending it twice is no mistake.
UPDATE identity.session AS s SET revoked_at = coalesce(s.revoked_at, greatest($3, s.issued_at))
FROM (
    SELECT session_id, revoked_at IS NOT NULL AS had_ended FROM identity.session
    WHERE session_id = $1 AND person_id = $2 FOR UPDATE
) AS before
WHERE s.session_id = before.session_id RETURNING before.had_ended;

-- revoke_sessions_of_person --
UPDATE identity.session SET revoked_at = greatest($3, issued_at)
WHERE person_id = $1 AND revoked_at IS NULL AND session_id IS DISTINCT FROM $2;

-- insert_refresh_token --
INSERT INTO identity.refresh_token (token_hash, session_id, follows_hash, issued_at) VALUES ($1, $2, $3, $4);

-- lock_session_of_refresh_token --
SELECT s.session_id, s.person_id, s.issued_at, s.expires_at, s.last_seen_at, s.label, p.username, p.phone, p.tier,
    p.state, p.frozen_because
FROM identity.session AS s
INNER JOIN identity.person AS p ON p.person_id = s.person_id AND p.state <> 'closed'
WHERE s.session_id = (SELECT t.session_id FROM identity.refresh_token AS t WHERE t.token_hash = $1)
AND s.revoked_at IS NULL
FOR UPDATE OF s;

-- refresh_token_after --
SELECT token_hash FROM identity.refresh_token WHERE follows_hash = $1;

-- forget_old_sessions --
-- With their refresh tokens, a few at a time.
WITH old AS (
    DELETE FROM identity.session WHERE session_id IN (
        SELECT session_id FROM identity.session WHERE expires_at < $1 ORDER BY expires_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) RETURNING session_id
)
SELECT count(*) FROM old;

-- device_is_known --
SELECT true FROM identity.known_device WHERE person_id = $1 AND device_hash = $2;

-- remember_device --
INSERT INTO identity.known_device AS known (person_id, device_hash, label, first_seen_at, last_seen_at)
VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (person_id, device_hash)
DO UPDATE SET label = excluded.label, last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at);

-- forget_devices_beyond --
DELETE FROM identity.known_device WHERE person_id = $1 AND device_hash IN (
    SELECT device_hash FROM identity.known_device WHERE person_id = $1
    ORDER BY last_seen_at DESC, first_seen_at DESC OFFSET $2
);

-- forget_devices_of --
DELETE FROM identity.known_device WHERE person_id = $1;

-- forget_old_devices --
DELETE FROM identity.known_device WHERE last_seen_at < $1;

-- insert_notice --
INSERT INTO identity.notice (notice_id, person_id, kind, session_id, label, noticed_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (notice_id) DO NOTHING;

-- notices_of_person --
SELECT notice_id, kind, session_id, label, noticed_at FROM identity.notice
WHERE person_id = $1 AND session_id <> $2 AND noticed_at > $3 AND dismissed_at IS NULL
ORDER BY noticed_at DESC, notice_id LIMIT $4;

-- dismiss_notice --
UPDATE identity.notice SET dismissed_at = coalesce(dismissed_at, greatest($4, noticed_at))
WHERE notice_id = $1 AND person_id = $2 AND session_id <> $3 RETURNING true;

-- forget_old_notices --
DELETE FROM identity.notice WHERE noticed_at < $1;

-- insert_signing_key --
-- Two processes that start at once both bring a key; the second one's is dropped.
INSERT INTO identity.signing_key (kid, private_pem, created_at) VALUES ($1, $2, $3)
ON CONFLICT ((true)) WHERE retired_at IS NULL DO NOTHING;

-- retire_signing_keys --
-- Whatever signs after $1, also a key that still waits for its time.
UPDATE identity.signing_key SET retired_at = greatest($1, created_at) WHERE retired_at IS NULL OR retired_at > $1;

-- signing_key_at_work --
-- The one that stops first: those after it are known already, and wait.
SELECT kid, private_pem FROM identity.signing_key WHERE retired_at IS NULL OR retired_at > $1
ORDER BY retired_at NULLS LAST, created_at LIMIT 1;

-- verifying_keys --
-- A retired key still verifies what it signed until the last of its sessions has ended.
SELECT kid, private_pem FROM identity.signing_key
WHERE retired_at IS NULL OR retired_at > $1 ORDER BY created_at, kid;

-- session_proof --
SELECT proved_at, proved_by FROM identity.session WHERE session_id = $1 AND person_id = $2;

-- prove_session --
-- Never before the session began: another machine's clock may be a little behind.
UPDATE identity.session SET proved_at = greatest($3, issued_at), proved_by = $4
WHERE session_id = $1 AND person_id = $2 AND revoked_at IS NULL RETURNING proved_at;

-- means_of_proof --
SELECT
    EXISTS (SELECT FROM identity.passkey AS k WHERE k.person_id = p.person_id) AS has_passkey,
    EXISTS (SELECT FROM identity.recovery_code AS c WHERE c.person_id = p.person_id AND c.used_at IS NULL)
        AS has_recovery_code
FROM identity.person AS p WHERE p.person_id = $1;

-- passkeys_of_person --
SELECT passkey_id, credential_id, name, created_at, last_used_at
FROM identity.passkey WHERE person_id = $1 ORDER BY created_at, passkey_id;

-- passkey_by_credential --
SELECT passkey_id, person_id, public_key FROM identity.passkey WHERE credential_id = $1;

-- insert_passkey --
-- Under the lowest number that is free; none is inserted when there is none.
INSERT INTO identity.passkey (
    passkey_id, person_id, passkey_no, credential_id, public_key, sign_count, name, created_at
)
SELECT $1, $2, free.no, $4, $5, $6, $7, $8
FROM generate_series(1, $3::integer) AS free (no)
WHERE NOT EXISTS (SELECT FROM identity.passkey WHERE person_id = $2 AND passkey_no = free.no)
ORDER BY free.no LIMIT 1
RETURNING passkey_id;

-- rename_passkey --
UPDATE identity.passkey SET name = $3 WHERE passkey_id = $1 AND person_id = $2
RETURNING passkey_id, name, created_at, last_used_at;

-- delete_passkey --
DELETE FROM identity.passkey WHERE passkey_id = $1 AND person_id = $2 RETURNING passkey_id;

-- count_passkey_use --
-- A count that isn't higher than before comes from a copy of the key; those that never count say 0 each time.
UPDATE identity.passkey SET sign_count = $2, last_used_at = greatest($3, created_at, last_used_at)
WHERE passkey_id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING passkey_id;

-- insert_passkey_challenge --
INSERT INTO identity.passkey_challenge (challenge, purpose, session_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5);

-- take_passkey_challenge --
DELETE FROM identity.passkey_challenge
WHERE challenge = $1 AND purpose = $2 AND session_id IS NOT DISTINCT FROM $3 AND expires_at > $4
RETURNING challenge;

-- forget_passkey_challenges --
-- A few with every new one, so that those that nobody answered don't pile up.
DELETE FROM identity.passkey_challenge WHERE challenge IN (
    SELECT challenge FROM identity.passkey_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
);

-- insert_recovery_codes --
INSERT INTO identity.recovery_code (person_id, code_no, code_hash, made_at)
SELECT $1, made.no, made.code_hash, $3 FROM unnest($2::bytea[]) WITH ORDINALITY AS made (code_hash, no);

-- delete_recovery_codes --
DELETE FROM identity.recovery_code WHERE person_id = $1;

-- use_recovery_code --
UPDATE identity.recovery_code SET used_at = greatest($3, made_at)
WHERE person_id = $1 AND code_hash = $2 AND used_at IS NULL RETURNING code_no;

-- recovery_codes_of_person --
SELECT count(*) FILTER (WHERE used_at IS NULL) AS left, max(made_at) AS made_at
FROM identity.recovery_code WHERE person_id = $1;

-- forget_old_codes --
-- Those that nobody used to sign in or to prove something; a few with every new one.
DELETE FROM identity.one_time_code WHERE (purpose, request_id) IN (
    SELECT purpose, request_id FROM identity.one_time_code
    WHERE purpose IN ('sign_in', 'step_up') AND expires_at < $1
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
);
-- count_try --
INSERT INTO identity.tried_count AS c (name, count, forgotten_at) VALUES ($1, 1, $2)
ON CONFLICT (name) DO UPDATE SET count = c.count + 1
RETURNING count;

-- forget_old_counts --
DELETE FROM identity.tried_count WHERE name IN (
    SELECT name FROM identity.tried_count WHERE forgotten_at < $1 ORDER BY forgotten_at LIMIT $2 FOR UPDATE SKIP LOCKED
);

-- take_from_sms_budget --
INSERT INTO identity.sms_budget AS b (period, begins_at, sent, sent_max) VALUES ($1, $2, 1, $3)
ON CONFLICT (period, begins_at) DO UPDATE SET sent = b.sent + 1, sent_max = $3 WHERE b.sent < $3
RETURNING sent;

-- trip_sms_breaker --
-- Of all who find the budget spent the first one says so.
UPDATE identity.sms_budget SET tripped_at = greatest($3, begins_at)
WHERE period = $1 AND begins_at = $2 AND tripped_at IS NULL AND sent >= $4
RETURNING sent;

-- forget_old_sms_budgets --
DELETE FROM identity.sms_budget WHERE begins_at < $1;

-- insert_text_message --
INSERT INTO identity.text_message (message_id, state, created_at, changed_at) VALUES ($1, 'unknown', $2, $2);

-- move_text_message --
UPDATE identity.text_message
SET state = $2, provider_id = coalesce(provider_id, $3), error_code = $4, changed_at = greatest($5, created_at)
WHERE message_id = $1 AND (provider_id IS NULL OR $3::text IS NULL OR provider_id = $3)
AND identity.text_message_progress(state) < identity.text_message_progress($2)
RETURNING message_id;

-- text_message_is_known --
SELECT true FROM identity.text_message WHERE message_id = $1;

-- forget_old_text_messages --
DELETE FROM identity.text_message WHERE message_id IN (
    SELECT message_id FROM identity.text_message WHERE created_at < $1
    ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
);

-- insert_password_reset --
INSERT INTO identity.password_reset (reset_id, person_id, phone, created_at, expires_at) VALUES ($1, $2, $3, $4, $5);

-- password_reset_by_id --
SELECT r.reset_id, r.person_id, r.phone, r.expires_at, r.proven_at, p.username
FROM identity.password_reset AS r LEFT JOIN identity.person AS p USING (person_id)
WHERE r.reset_id = $1 AND r.expires_at > $2;

-- forget_old_password_resets --
-- A few with every new one. What waits is kept, however old.
WITH old AS (
    DELETE FROM identity.password_reset WHERE reset_id IN (
        SELECT reset_id FROM identity.password_reset
        WHERE expires_at < $1 AND (proven_at IS NULL OR ended_at IS NOT NULL)
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING reset_id
)
DELETE FROM identity.one_time_code USING old WHERE purpose = 'password_reset' AND request_id = old.reset_id;

-- end_waiting_password_reset --
UPDATE identity.password_reset SET ended_at = greatest($2, proven_at), outcome = $3, password_hash = NULL
WHERE person_id = $1 AND proven_at IS NOT NULL AND ended_at IS NULL
RETURNING reset_id;

-- prove_password_reset --
UPDATE identity.password_reset SET proven_at = $2, effective_at = $3, password_hash = $4 WHERE reset_id = $1;

-- due_password_reset --
SELECT reset_id, password_hash FROM identity.password_reset
WHERE person_id = $1 AND proven_at IS NOT NULL AND ended_at IS NULL AND effective_at <= $2;

-- set_password --
UPDATE identity.person SET password_hash = $2 WHERE person_id = $1;

-- password_of_person --
SELECT username, phone, password_hash FROM identity.person WHERE person_id = $1;

-- cap_outgoing --
-- Never sooner than it stands: a second change must not open what the first one closed.
UPDATE identity.person SET outgoing_capped_until = greatest(outgoing_capped_until, $2) WHERE person_id = $1;

-- people_with_due_changes --
SELECT r.person_id FROM identity.password_reset AS r JOIN identity.person AS p USING (person_id)
WHERE (p.phone = $1 OR r.person_id = $2) AND r.proven_at IS NOT NULL AND r.ended_at IS NULL AND r.effective_at <= $3
UNION
SELECT c.person_id FROM identity.phone_change AS c JOIN identity.person AS p USING (person_id)
WHERE (p.phone = $1 OR c.new_phone = $1 OR c.person_id = $2)
AND c.new_proven_at IS NOT NULL AND c.ended_at IS NULL AND c.effective_at <= $3;

-- waiting_changes --
SELECT p.outgoing_capped_until, r.proven_at AS password_proven_at, r.effective_at AS password_effective_at,
    c.new_phone, c.new_proven_at AS phone_proven_at, c.effective_at AS phone_effective_at
FROM identity.person AS p
LEFT JOIN identity.password_reset AS r
    ON r.person_id = p.person_id AND r.proven_at IS NOT NULL AND r.ended_at IS NULL
LEFT JOIN identity.phone_change AS c
    ON c.person_id = p.person_id AND c.new_proven_at IS NOT NULL AND c.ended_at IS NULL
WHERE p.person_id = $1;

-- insert_phone_change --
INSERT INTO identity.phone_change (change_id, person_id, new_phone, created_at, expires_at) VALUES ($1, $2, $3, $4, $5);

-- phone_change_by_id --
SELECT change_id, person_id, new_phone, expires_at FROM identity.phone_change
WHERE change_id = $1 AND person_id = $2 AND expires_at > $3 AND new_proven_at IS NULL;

-- forget_old_phone_changes --
WITH old AS (
    DELETE FROM identity.phone_change WHERE change_id IN (
        SELECT change_id FROM identity.phone_change
        WHERE expires_at < $1 AND (new_proven_at IS NULL OR ended_at IS NOT NULL)
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) RETURNING change_id
)
DELETE FROM identity.one_time_code USING old
WHERE purpose IN ('old_phone', 'new_phone') AND request_id = old.change_id;

-- prove_phone_change --
UPDATE identity.phone_change SET new_proven_at = $2, old_proven_at = $3, effective_at = $4 WHERE change_id = $1;

-- end_waiting_phone_change --
UPDATE identity.phone_change SET ended_at = greatest($2, new_proven_at), outcome = $3
WHERE person_id = $1 AND new_proven_at IS NOT NULL AND ended_at IS NULL
RETURNING change_id, new_phone;

-- due_phone_change --
SELECT change_id, new_phone FROM identity.phone_change
WHERE person_id = $1 AND new_proven_at IS NOT NULL AND ended_at IS NULL AND effective_at <= $2;

-- set_phone --
UPDATE identity.person SET phone = $2 WHERE person_id = $1;

-- open_capped_outgoing --
INSERT INTO identity.capped_outgoing AS o (person_id, currency, begins_at, out_minor, out_max_minor)
VALUES ($1, $2, $3, 0, $5)
ON CONFLICT (person_id, currency) DO UPDATE SET
    begins_at = CASE WHEN o.begins_at <= $4 THEN $3 ELSE o.begins_at END,
    out_minor = CASE WHEN o.begins_at <= $4 THEN 0 ELSE o.out_minor END,
    out_max_minor = CASE WHEN o.begins_at <= $4 THEN $5 ELSE o.out_max_minor END;

-- forget_capped_orders --
-- Those of the day before: nothing stands in a sum that has begun anew.
DELETE FROM identity.capped_order AS c USING identity.capped_outgoing AS o
WHERE c.person_id = $1 AND c.currency = $2 AND o.person_id = $1 AND o.currency = $2 AND o.out_minor = 0;

-- attempt_capped_order --
UPDATE identity.capped_order SET attempts = attempts + 1 WHERE order_id = $1
RETURNING person_id, currency, amount_minor;

-- take_capped_outgoing --
UPDATE identity.capped_outgoing SET out_minor = out_minor + $3, out_max_minor = $4
WHERE person_id = $1 AND currency = $2 AND out_minor + $3 <= $4
RETURNING out_minor;

-- insert_capped_order --
INSERT INTO identity.capped_order (order_id, person_id, currency, amount_minor, attempts) VALUES ($1, $2, $3, $4, 1);

-- capped_order --
SELECT person_id, currency, amount_minor, attempts FROM identity.capped_order WHERE order_id = $1;

-- lock_capped_outgoing --
SELECT FROM identity.capped_outgoing WHERE person_id = $1 AND currency = $2 FOR UPDATE;

-- fewer_attempts_of_capped_order --
UPDATE identity.capped_order SET attempts = attempts - 1 WHERE order_id = $1;

-- delete_capped_order --
DELETE FROM identity.capped_order WHERE order_id = $1;

-- give_capped_outgoing_back --
UPDATE identity.capped_outgoing SET out_minor = out_minor - $3 WHERE person_id = $1 AND currency = $2;

-- insert_operator --
INSERT INTO identity.operator (operator_id, name, roles, created_at) VALUES ($1, $2, $3, $4);

-- operators --
-- Those who still are operators first. There are a few dozen at most.
SELECT o.operator_id, o.name, o.roles, o.created_at, o.disabled_at, k.operator_id IS NOT NULL AS has_passkey,
    (SELECT max(s.last_seen_at) FROM identity.operator_session AS s WHERE s.operator_id = o.operator_id) AS last_seen_at
FROM identity.operator AS o
LEFT JOIN identity.operator_passkey AS k USING (operator_id)
ORDER BY o.disabled_at IS NOT NULL, o.name;

-- lock_operator_named --
SELECT operator_id, name, roles, disabled_at FROM identity.operator WHERE name = $1 FOR NO KEY UPDATE;

-- lock_operator --
SELECT operator_id, name, roles, disabled_at FROM identity.operator WHERE operator_id = $1 FOR NO KEY UPDATE;

-- hold_enabled_operator --
-- Shared: many may sign in at once, and none of them while the operator is being disabled.
SELECT true FROM identity.operator WHERE operator_id = $1 AND disabled_at IS NULL FOR SHARE;

-- set_operator_roles --
UPDATE identity.operator SET roles = $2 WHERE operator_id = $1;

-- disable_operator --
UPDATE identity.operator SET disabled_at = greatest($2, created_at) WHERE operator_id = $1;

-- delete_operator_passkey --
DELETE FROM identity.operator_passkey WHERE operator_id = $1;

-- delete_operator_enrolment --
DELETE FROM identity.operator_enrolment WHERE operator_id = $1;

-- end_operator_sessions --
UPDATE identity.operator_session SET ended_at = greatest($2, issued_at) WHERE operator_id = $1 AND ended_at IS NULL;

-- insert_operator_enrolment --
INSERT INTO identity.operator_enrolment (operator_id, token_hash, made_at, expires_at) VALUES ($1, $2, $3, $4);

-- operator_enrolment --
SELECT e.operator_id, o.name FROM identity.operator_enrolment AS e
JOIN identity.operator AS o USING (operator_id)
WHERE e.token_hash = $1 AND e.expires_at > $2;

-- take_operator_enrolment --
DELETE FROM identity.operator_enrolment WHERE token_hash = $1 AND expires_at > $2 RETURNING operator_id;

-- insert_operator_challenge --
INSERT INTO identity.operator_challenge (challenge, operator_id, created_at, expires_at) VALUES ($1, $2, $3, $4);

-- forget_operator_challenges --
DELETE FROM identity.operator_challenge WHERE challenge IN (
    SELECT challenge FROM identity.operator_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
);

-- take_operator_challenge --
DELETE FROM identity.operator_challenge
WHERE challenge = $1 AND operator_id IS NOT DISTINCT FROM $2 AND expires_at > $3
RETURNING challenge;

-- insert_operator_passkey --
INSERT INTO identity.operator_passkey (operator_id, credential_id, public_key, sign_count, created_at)
VALUES ($1, $2, $3, $4, $5);

-- operator_passkey_by_credential --
SELECT k.operator_id, k.public_key, o.name FROM identity.operator_passkey AS k
JOIN identity.operator AS o USING (operator_id)
WHERE k.credential_id = $1 AND o.disabled_at IS NULL;

-- count_operator_passkey_use --
-- As `count_passkey_use`: a count that isn't higher than before comes from a copy of the key.
UPDATE identity.operator_passkey SET sign_count = $2, last_used_at = greatest($3, created_at, last_used_at)
WHERE operator_id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING operator_id;

-- insert_operator_session --
INSERT INTO identity.operator_session (
    session_id, operator_id, token_hash, label, issued_at, last_seen_at, expires_at
) VALUES ($1, $2, $3, $4, $5, $5, $6);

-- operator_session --
SELECT s.session_id, s.operator_id, s.last_seen_at, s.expires_at, o.name, o.roles
FROM identity.operator_session AS s
JOIN identity.operator AS o USING (operator_id)
WHERE s.token_hash = $1 AND s.ended_at IS NULL AND o.disabled_at IS NULL;

-- see_operator_session --
-- Never backwards, and nothing if it has ended meanwhile.
UPDATE identity.operator_session SET last_seen_at = greatest($2, last_seen_at)
WHERE session_id = $1 AND ended_at IS NULL;

-- end_operator_session --
UPDATE identity.operator_session SET ended_at = greatest($2, issued_at)
WHERE session_id = $1 AND ended_at IS NULL RETURNING session_id;
