-- insert_network --
-- The first server to start says which network this database belongs to.
INSERT INTO offline.network (net, root_key) VALUES ($1, $2) ON CONFLICT (only_row) DO NOTHING;

-- network --
SELECT net, root_key FROM offline.network;

-- delete_old_challenges --
DELETE FROM offline.challenge WHERE person_id = $1 AND expires_at < $2;

-- insert_challenge --
INSERT INTO offline.challenge (challenge_id, person_id, challenge, expires_at) VALUES ($1, $2, $3, $4);

-- lock_challenge --
-- Locked, so that of two equal requests one waits and finds it consumed.
SELECT challenge, consumed_at FROM offline.challenge
WHERE challenge_id = $1 AND person_id = $2 AND expires_at > $3 FOR UPDATE;

-- consume_challenge --
UPDATE offline.challenge SET consumed_at = $2 WHERE challenge_id = $1 AND consumed_at IS NULL;

-- ensure_holder --
INSERT INTO offline.holder (person_id) VALUES ($1) ON CONFLICT (person_id) DO NOTHING;

-- lock_holder --
SELECT 1 FROM offline.holder WHERE person_id = $1 FOR NO KEY UPDATE;

-- insert_device --
INSERT INTO offline.device (
    device_id, person_id, public_key, key_id, name, shown_name, name_salt, receive_only, challenge_id, registered_at,
    budget_renewed_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
ON CONFLICT (public_key) DO NOTHING;

-- device_by_key --
SELECT * FROM offline.device WHERE public_key = $1;

-- devices_of_person --
SELECT * FROM offline.device WHERE person_id = $1 ORDER BY registered_at, device_id;

-- device_of_person --
SELECT * FROM offline.device WHERE device_id = $1 AND person_id = $2;

-- devices_by_key_id --
SELECT * FROM offline.device WHERE key_id = ANY($1::bytea[]);

-- owners_of_keys --
SELECT key_id, person_id FROM offline.device WHERE key_id = ANY($1::bytea[]);

-- count_active_devices --
SELECT count(*) FROM offline.device WHERE person_id = $1 AND retired_at IS NULL;

-- retire_device --
UPDATE offline.device SET retired_at = $2 WHERE device_id = $1 AND retired_at IS NULL;

-- latest_certificate --
SELECT payload, signature FROM offline.certificate WHERE key_id = $1 ORDER BY issued_at DESC, document_id LIMIT 1;

-- certificates_of_keys --
SELECT payload, signature FROM offline.certificate WHERE key_id = ANY($1::bytea[]);

-- insert_certificates --
INSERT INTO offline.certificate (
    document_id, key_id, payload, signature, issued_at, valid_until, cover_budget_minor
)
SELECT * FROM unnest(
    $1::bytea[], $2::bytea[], $3::bytea[], $4::bytea[], $5::timestamptz[], $6::timestamptz[], $7::bigint[]
)
ON CONFLICT (document_id) DO NOTHING;

-- raise_grant --
-- Grant what the tier still allows and say how much that is; the row is locked by the caller.
WITH free AS (
    SELECT person_id, greatest(0, $2::bigint - granted_minor) AS minor FROM offline.holder WHERE person_id = $1
)
UPDATE offline.holder
SET granted_minor = holder.granted_minor + free.minor, granted_max_minor = greatest($2::bigint, holder.granted_minor)
FROM free WHERE holder.person_id = free.person_id
RETURNING free.minor;

-- lower_grant --
UPDATE offline.holder SET granted_minor = granted_minor - $2 WHERE person_id = $1;

-- change_budget --
UPDATE offline.device SET budget_minor = budget_minor + $2, budget_renewed_at = $3 WHERE device_id = $1;

-- insert_budget_change --
INSERT INTO offline.budget_change (device_id, change_no, reason, amount_minor)
SELECT $1, coalesce(max(change_no), 0) + 1, $2, $3 FROM offline.budget_change WHERE device_id = $1;

-- budgets_to_take_back --
SELECT device_id, budget_minor FROM offline.device
WHERE person_id = $1 AND retired_at IS NOT NULL AND budget_minor > 0 AND NOT EXISTS (
    SELECT FROM offline.certificate WHERE certificate.key_id = device.key_id AND valid_until >= $2
) AND NOT EXISTS (
    -- A close that is late, or under way, still relies on it.
    SELECT FROM offline.payment
    JOIN offline.piece USING (document_id)
    JOIN offline.voucher ON voucher.voucher_id = piece.voucher_id
    WHERE payment.payee_key_id = device.key_id AND voucher.state IN ('open', 'closing')
);

-- next_epoch --
-- One row for all, so that lists are numbered in the order in which they become visible.
UPDATE offline.network SET revocation_epoch = revocation_epoch + 1 RETURNING revocation_epoch;

-- insert_revocation --
INSERT INTO offline.revocation (key_id, epoch, reason) VALUES ($1, $2, $3) ON CONFLICT (key_id) DO NOTHING;

-- is_revoked --
SELECT EXISTS (SELECT FROM offline.revocation WHERE key_id = $1);

-- blocks_of_keys --
-- A proof says more than what the owner said before it.
SELECT key_id, recorded_at,
    CASE WHEN EXISTS (SELECT FROM offline.proof WHERE proof.key_id = revocation.key_id) THEN 'spent_twice'
        ELSE reason END AS reason
FROM offline.revocation WHERE key_id = ANY($1::bytea[]);

-- newest_revocations --
SELECT revocation_epoch, ARRAY(
    SELECT key_id FROM offline.revocation WHERE recorded_at > $1 ORDER BY epoch DESC LIMIT $2
) AS key_ids
FROM offline.network;

-- device --
SELECT * FROM offline.device WHERE device_id = $1;

-- voucher --
SELECT * FROM offline.voucher WHERE voucher_id = $1;

-- lock_voucher --
SELECT state, payload FROM offline.voucher WHERE voucher_id = $1 FOR NO KEY UPDATE;

-- insert_voucher --
INSERT INTO offline.voucher (
    voucher_id, person_id, device_id, key_id, currency, units, amount_minor, audience_key_id, audience_person_id,
    state, document_id, payload, tier, cover_minor, issued_at, spend_by, claim_by
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'draft', $10, $11, $12, $13, $14, $15, $16);

-- redraft_voucher --
-- A refused load is tried again under the same number and the same units, with today's dates; and a draft whose signing
-- key was replaced gets the dates of its signature.
UPDATE offline.voucher
SET state = 'draft', refused_code = NULL, document_id = $2, payload = $3, tier = $4, cover_minor = $5,
    issued_at = $6, spend_by = $7, claim_by = $8
WHERE voucher_id = $1 AND state IN ('draft', 'refused');

-- refuse_voucher --
-- Only a draft: a repetition may have found the money in between and opened it.
UPDATE offline.voucher SET state = 'refused', refused_code = $2 WHERE voucher_id = $1 AND state = 'draft';

-- open_voucher --
UPDATE offline.voucher SET state = 'open', signature = $2, opened_at = $3, refused_code = NULL
WHERE voucher_id = $1 AND state IN ('draft', 'refused');

-- open_vouchers_of_device --
SELECT * FROM offline.voucher WHERE device_id = $1 AND state = 'open' ORDER BY issued_at, voucher_id;

-- count_vouchers_not_closed --
SELECT count(*) FROM offline.voucher WHERE person_id = $1 AND state IN ('draft', 'open', 'closing');

-- is_named --
-- Whether more double spends are proved against a person than their one notice covers.
SELECT (SELECT count(*) FROM offline.proof WHERE person_id = $1)
    > coalesce((SELECT proof_count FROM offline.notice WHERE person_id = $1), 0);

-- insert_notice --
-- Only for somebody against whom nothing is proved but double spends of this voucher, all of them brought in time: who
-- came late got nothing, and so it cost somebody.
INSERT INTO offline.notice (person_id, voucher_id, owed_minor, proof_count)
SELECT $1::uuid, $2::uuid, $3::bigint, count(*)
FROM offline.proof
JOIN offline.payment AS first ON first.document_id = proof.first_id
JOIN offline.payment AS second ON second.document_id = proof.second_id
JOIN offline.voucher ON voucher.voucher_id = $2::uuid
WHERE proof.person_id = $1::uuid
HAVING count(*) > 0 AND bool_and(
    greatest(first.recorded_at, second.recorded_at) <= voucher.claim_until AND NOT EXISTS (
        SELECT FROM offline.piece AS one
        JOIN offline.piece AS other ON other.voucher_id = one.voucher_id AND other.units && one.units
        WHERE one.document_id = proof.first_id AND other.document_id = proof.second_id AND one.voucher_id <> $2::uuid
    )
)
ON CONFLICT (person_id) DO NOTHING RETURNING person_id;

-- retire_named --
UPDATE offline.device SET retired_at = clock_timestamp()
WHERE person_id = $1 AND retired_at IS NULL AND key_id IN (SELECT key_id FROM offline.proof WHERE proof.person_id = $1);

-- payments_touching --
-- For each voucher every payment that touches it in time, and everything below it, which may be of other vouchers.
WITH RECURSIVE needed AS (
    SELECT piece.voucher_id, piece.document_id
    FROM offline.piece
    JOIN offline.payment USING (document_id)
    JOIN offline.voucher ON voucher.voucher_id = piece.voucher_id
    WHERE piece.voucher_id = ANY($1::uuid[]) AND payment.recorded_at <= voucher.claim_until
    UNION
    SELECT needed.voucher_id, piece.parent_document_id
    FROM needed CROSS JOIN LATERAL (
        SELECT parent_document_id FROM offline.piece WHERE piece.document_id = needed.document_id OFFSET 0
    ) AS piece
)
SELECT document_id, payload, signature, array_agg(needed.voucher_id) AS voucher_ids
FROM needed CROSS JOIN LATERAL (
    SELECT payload, signature FROM offline.payment WHERE payment.document_id = needed.document_id OFFSET 0
) AS payment
GROUP BY document_id, payload, signature ORDER BY document_id;

-- pieces_touching --
-- For each voucher what was taken of it in time, and whether there is nothing more to say of that piece: it was taken
-- straight from the voucher, its payee didn't refuse it, and it isn't a hand-back to one of the operator's keys.
SELECT piece.voucher_id, lower(piece.units) AS first, upper(piece.units) AS past, payment.payee_key_id,
    piece.document_id,
    piece.parent_document_id = voucher.document_id AND payment.payee_key_id <> ALL($2::bytea[]) AND NOT EXISTS (
        SELECT FROM offline.refusal
        WHERE refusal.payment_document_id = piece.document_id AND refusal.recorded_at <= voucher.claim_until
    ) AS is_plain
FROM offline.voucher
JOIN offline.piece ON piece.voucher_id = voucher.voucher_id
JOIN offline.payment ON payment.document_id = piece.document_id
WHERE voucher.voucher_id = ANY($1::uuid[]) AND payment.recorded_at <= voucher.claim_until;

-- vouchers_below --
SELECT voucher_id, person_id, document_id, key_id, lower(units) AS first, payload, signature, state, amount_minor,
    released_minor, cover_minor, audience_key_id, spend_by, claim_by, claim_until
FROM offline.voucher
WHERE voucher_id = ANY(ARRAY(
    SELECT unnest($1::uuid[]) UNION SELECT voucher_id FROM offline.piece WHERE document_id = ANY($2::bytea[])
))
ORDER BY voucher_id;

-- refused_payments --
-- For each voucher the payments that their payees refused in time.
SELECT piece.voucher_id, piece.document_id AS payment_document_id
FROM offline.voucher JOIN offline.piece ON piece.voucher_id = voucher.voucher_id
WHERE voucher.voucher_id = ANY($1::uuid[]) AND (
    -- By the payment, one after the other: few are refused, and never are all refusals read.
    SELECT min(refusal.recorded_at) FROM offline.refusal WHERE refusal.payment_document_id = piece.document_id
) <= voucher.claim_until;

-- signers_of --
-- Who signed those of some documents that are kept: payments by the key of their payer, vouchers and certificates by one
-- of the operator's keys (null). The arrays come as text (claims.py); the inner SELECT reads each text once, where
-- `$1::text::bytea[]` alone would be read again for each row of a table that is still small.
SELECT document_id, payer_key_id AS key_id FROM offline.payment WHERE document_id = ANY((SELECT $1::text::bytea[])::bytea[])
UNION ALL
SELECT document_id, NULL FROM offline.voucher
WHERE document_id = ANY((SELECT $2::text::bytea[])::bytea[]) AND state IN ('open', 'closing', 'closed')
UNION ALL
SELECT document_id, NULL FROM offline.certificate WHERE document_id = ANY((SELECT $3::text::bytea[])::bytea[]);

-- vouchers_of_refused --
-- The vouchers that some payments touch, which are known by the start of their ids: each looked up by itself, since how
-- many begin alike is more than the planner knows.
SELECT voucher.document_id
FROM unnest($1::bytea[]) AS short_id
CROSS JOIN LATERAL (
    SELECT document_id FROM offline.payment
    WHERE document_id BETWEEN short_id AND short_id || '\xffffffffffffffffffffffffffffffff'::bytea OFFSET 0
) AS payment
CROSS JOIN LATERAL (
    SELECT voucher_id FROM offline.piece WHERE piece.document_id = payment.document_id OFFSET 0
) AS piece
CROSS JOIN LATERAL (
    SELECT document_id FROM offline.voucher WHERE voucher.voucher_id = piece.voucher_id OFFSET 0
) AS voucher;

-- lock_opened_vouchers --
-- Those of some documents: a close waits for them. Always in the order of ids, so that two syncs can't wait for each
-- other.
SELECT document_id, voucher_id, claim_until
FROM offline.voucher
WHERE document_id = ANY((SELECT $1::text::bytea[])::bytea[]) AND state IN ('open', 'closing', 'closed')
ORDER BY voucher_id FOR NO KEY UPDATE;

-- vouchers_to_release --
SELECT voucher_id, person_id, document_id, key_id, lower(units) AS first, payload, signature, state, amount_minor,
    released_minor, cover_minor, audience_key_id, spend_by, claim_by, claim_until
FROM offline.voucher WHERE voucher_id = ANY($1::uuid[]) AND state = 'open';

-- append_claims --
-- Payments, their pieces and who brought them, all at once (migration 0010); what is known already stays as it is.
SELECT new_ids, known_at, contested_ids FROM offline.append_claims(
    $1, $2, $3::text::bytea[], $4, $5, $6, $7::text::int[], $8::text::bigint[], $9::text::boolean[], $10::text::int[],
    $11::text::smallint[], $15::text::uuid[], $12, $13::text::bigint[], $14::text::bigint[]
);

-- append_plain_claims --
-- The same for payments straight from vouchers, and the locks of those, in one (migration 0011).
SELECT new_ids, known_at, claims_until FROM offline.append_plain_claims(
    $1, $2, $3::text::bytea[], $4, $5, $6, $7::text::int[], $8::text::bigint[], $9::text::boolean[], $10::text::int[],
    $11::text::smallint[], $12, $13::text::bigint[], $14::text::bigint[]
);

-- late_payments --
SELECT payment.document_id, min(voucher.claim_until) AS claim_until
FROM offline.payment
JOIN offline.piece USING (document_id)
JOIN offline.voucher ON voucher.voucher_id = piece.voucher_id
WHERE payment.document_id = ANY($1::bytea[]) AND payment.recorded_at > voucher.claim_until
GROUP BY payment.document_id;

-- payments_by_short_id --
SELECT payment.document_id, payment.payload, payment.signature, payment.payee_key_id, device.public_key
FROM offline.payment
LEFT JOIN LATERAL (SELECT public_key FROM offline.device WHERE key_id = payment.payee_key_id OFFSET 0) AS device ON true
WHERE payment.document_id BETWEEN $1::bytea AND $1::bytea || '\xffffffffffffffffffffffffffffffff'::bytea
ORDER BY payment.document_id;

-- insert_refusal --
INSERT INTO offline.refusal (document_id, payment_document_id, key_id, payload, signature)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (document_id) DO NOTHING RETURNING document_id;

-- vouchers_in_conflict --
-- Vouchers among some on which one key signed one unit in two payments, one of them among these. Most such pairs are double
-- spends; a refund that was handed on again is one too, so that the rules have the last word.
-- In the order of their first units a piece meets one before it if any of those reaches into it, and one after it if it
-- reaches into the next: of thousands of retries, each of which meets all others, none is compared with every other.
WITH fresh AS (
    SELECT DISTINCT document_id FROM unnest($1::bytea[]) AS document_id
), touched AS (
    SELECT unnest($2::uuid[]) AS voucher_id
), placed AS (
    SELECT piece.voucher_id, fresh.document_id IS NOT NULL AS is_new, piece.units,
        max(upper(piece.units)) OVER (before ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached,
        lead(lower(piece.units)) OVER before AS next_first
    FROM touched
    CROSS JOIN LATERAL (
        SELECT voucher_id, document_id, units FROM offline.piece WHERE piece.voucher_id = touched.voucher_id OFFSET 0
    ) AS piece
    CROSS JOIN LATERAL (
        SELECT payer_key_id FROM offline.payment WHERE payment.document_id = piece.document_id OFFSET 0
    ) AS payment
    LEFT JOIN fresh ON fresh.document_id = piece.document_id
    WINDOW before AS (PARTITION BY piece.voucher_id, payment.payer_key_id ORDER BY lower(piece.units))
)
SELECT DISTINCT voucher_id FROM placed WHERE is_new AND (reached > lower(units) OR next_first < upper(units));

-- all_payments_touching --
-- In time or late: a late payment proves a double spend as well as any other.
WITH RECURSIVE needed AS (
    SELECT document_id FROM offline.piece WHERE voucher_id = ANY($1::uuid[])
    UNION
    SELECT piece.parent_document_id
    FROM needed CROSS JOIN LATERAL (
        SELECT parent_document_id FROM offline.piece WHERE piece.document_id = needed.document_id OFFSET 0
    ) AS piece
)
SELECT payload, signature
FROM needed CROSS JOIN LATERAL (
    SELECT payload, signature FROM offline.payment WHERE payment.document_id = needed.document_id OFFSET 0
) AS payment
ORDER BY document_id;

-- insert_proof --
INSERT INTO offline.proof (first_id, second_id, key_id, person_id, document)
VALUES ($1, $2, $3, (SELECT person_id FROM offline.device WHERE key_id = $3), $4)
ON CONFLICT (first_id, second_id) DO NOTHING;

-- known_proofs --
SELECT first_id, second_id FROM offline.proof WHERE first_id = ANY($1::bytea[]) OR second_id = ANY($1::bytea[]);

-- all_proofs --
SELECT proof.first_id, proof.second_id, proof.key_id, proof.document, proof.recorded_at,
    device.person_id, device.name AS device_name, notice.person_id IS NOT NULL AS is_notice
FROM offline.proof
JOIN offline.device USING (key_id)
LEFT JOIN offline.notice
    ON notice.person_id = device.person_id AND proof.recorded_at <= notice.recorded_at
ORDER BY proof.recorded_at, proof.first_id;

-- advanced_to_key --
SELECT coalesce(sum(amount_minor), 0)::bigint FROM offline.advance
WHERE key_id = $1 AND voucher_id = $2 AND reason = $3;

-- hand_backs_advanced --
-- What one person was advanced on vouchers that aren't closed: it is counted against the early-release limit L.
SELECT coalesce(sum(advance.amount_minor), 0)::bigint
FROM offline.advance JOIN offline.voucher USING (voucher_id)
WHERE advance.person_id = $1 AND advance.reason = 'hand_back' AND voucher.state IN ('open', 'closing');

-- escrow_left --
SELECT amount_minor - released_minor FROM offline.voucher WHERE voucher_id = $1;

-- is_advanced --
SELECT EXISTS (SELECT FROM offline.advance WHERE document_id = $1 AND voucher_id = $2);

-- final_advanced --
SELECT voucher_id, audience_key_id IS NOT NULL AS is_locked, sum(advance.amount_minor)::bigint AS advanced_minor
FROM offline.advance JOIN offline.voucher USING (voucher_id)
WHERE advance.key_id = $1 AND advance.reason = 'final' AND voucher.state IN ('open', 'closing')
GROUP BY voucher_id, audience_key_id;

-- count_advances --
SELECT count(*) FROM offline.advance WHERE key_id = $1 AND voucher_id = $2;

-- insert_advance --
INSERT INTO offline.advance (transfer_id, voucher_id, person_id, key_id, document_id, reason, amount_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- add_released --
UPDATE offline.voucher SET released_minor = released_minor + $2 WHERE voucher_id = $1;

-- advance --
SELECT advance.*, advance_posted.transfer_id IS NOT NULL AS is_posted
FROM offline.advance LEFT JOIN offline.advance_posted USING (transfer_id)
WHERE transfer_id = $1;

-- insert_advance_posted --
INSERT INTO offline.advance_posted (transfer_id, posted_at) VALUES ($1, $2) ON CONFLICT (transfer_id) DO NOTHING;

-- open_vouchers_of_keys --
-- Open vouchers that belong to one of the keys, and some others: of all of these every payment is looked at.
SELECT voucher_id, person_id, document_id, key_id, lower(units) AS first, payload, signature, state, amount_minor,
    released_minor, cover_minor, audience_key_id, spend_by, claim_by, claim_until
FROM offline.voucher
WHERE state IN ('open', 'closing') AND (key_id = ANY($1::bytea[]) OR voucher_id = ANY($2::uuid[]));

-- claims_of_keys --
-- What some keys were paid with open vouchers of other keys. Where nobody contests the voucher that is what was paid in
-- time and wasn't refused, and nothing else that was paid from it changes whose these units are; a contested one is
-- looked at as a whole. A payment is recorded after its voucher (a day more is for clocks that were set), so that what
-- closed long ago isn't read.
SELECT voucher.*, payment.payee_key_id, payment.document_id, upper(piece.units) - lower(piece.units) AS count
FROM offline.payment
CROSS JOIN LATERAL (
    SELECT voucher_id, units FROM offline.piece WHERE piece.document_id = payment.document_id OFFSET 0
) AS piece
CROSS JOIN LATERAL (
    SELECT voucher_id, is_contested, person_id, key_id, cover_minor, audience_key_id, spend_by, claim_by, claim_until
    FROM offline.voucher
    WHERE voucher.voucher_id = piece.voucher_id AND state IN ('open', 'closing') AND key_id <> ALL($1::bytea[])
    OFFSET 0
) AS voucher
WHERE payment.payee_key_id = ANY($1::bytea[]) AND payment.recorded_at >= (
    SELECT min(recorded_at) - interval '1 day' FROM offline.voucher WHERE state IN ('open', 'closing')
) AND (voucher.is_contested OR payment.recorded_at <= voucher.claim_until AND NOT EXISTS (
    SELECT FROM offline.refusal
    WHERE refusal.payment_document_id = payment.document_id AND refusal.recorded_at <= voucher.claim_until OFFSET 0
))
ORDER BY voucher.claim_by, voucher.voucher_id, payment.payee_key_id, payment.document_id;

-- open_advances_of_person --
SELECT advance.*, voucher.claim_until, advance_posted.transfer_id IS NOT NULL AS is_posted
FROM offline.advance
JOIN offline.voucher USING (voucher_id)
LEFT JOIN offline.advance_posted USING (transfer_id)
WHERE advance.person_id = $1 AND voucher.state IN ('open', 'closing')
ORDER BY advance.recorded_at, advance.transfer_id;

-- held --
-- What a phone can still pay anybody with of its own vouchers: their units less those in any payment that names the
-- voucher. Money that is locked to one payee is no balance to count on.
SELECT
    coalesce(sum(voucher.amount_minor - spent.minor) FILTER (
        WHERE voucher.state IN ('draft', 'open') AND voucher.spend_by >= $2 AND voucher.audience_key_id IS NULL
    ), 0)::bigint AS held_minor,
    count(*) FILTER (WHERE voucher.state <> 'refused') AS load_count
FROM offline.voucher
CROSS JOIN LATERAL (
    SELECT coalesce(sum(upper(part) - lower(part)), 0) AS minor
    FROM (
        SELECT unnest(range_agg(piece.units)) AS part
        FROM offline.piece WHERE piece.voucher_id = voucher.voucher_id
    ) AS parts
) AS spent
WHERE voucher.device_id = $1;

-- lock_closes --
-- One closer at a time, whatever the number of processes; held by a session, and so gone with it.
SELECT pg_advisory_lock($1);

-- unlock_closes --
SELECT pg_advisory_unlock($1);

-- next_to_close --
-- A close that was begun is finished first; then in the order of the dates that were signed.
SELECT voucher_id FROM offline.voucher
WHERE (state = 'closing' OR (state = 'open' AND claim_until < clock_timestamp())) AND voucher_id <> ALL($1::uuid[])
ORDER BY state = 'open', claim_by, voucher_id LIMIT 1;

-- people_on --
-- Everybody whose budget, guarantee or wallet the close of a voucher can touch.
SELECT person_id FROM offline.voucher WHERE voucher_id = $1
UNION
SELECT device.person_id
FROM offline.piece
JOIN offline.payment USING (document_id)
JOIN offline.device ON device.key_id IN (payment.payer_key_id, payment.payee_key_id)
WHERE piece.voucher_id = $1;

-- note_close_failure --
INSERT INTO offline.close_failure (voucher_id, error) VALUES ($1, $2)
ON CONFLICT (voucher_id) DO UPDATE SET
    error = $2, failure_count = close_failure.failure_count + 1, last_failed_at = clock_timestamp();

-- stuck_closes --
SELECT voucher_id, failure_count, first_failed_at, last_failed_at, error
FROM offline.close_failure JOIN offline.voucher USING (voucher_id)
WHERE state <> 'closed' ORDER BY first_failed_at, voucher_id;

-- begin_closing --
-- Waits for the syncs that touch the voucher; what they appended in time counts, and whatever comes later is late.
UPDATE offline.voucher SET state = 'closing'
WHERE voucher_id = $1 AND state = 'open' AND claim_until < clock_timestamp();

-- lock_closing_voucher --
SELECT state FROM offline.voucher WHERE voucher_id = $1 FOR NO KEY UPDATE;

-- last_close_attempt --
SELECT plan::text FROM offline.close_attempt WHERE voucher_id = $1 ORDER BY attempt_no DESC LIMIT 1;

-- close_attempt --
SELECT plan::text FROM offline.close_attempt WHERE voucher_id = $1 AND attempt_no = $2;

-- count_close_attempts --
SELECT count(*) FROM offline.close_attempt WHERE voucher_id = $1;

-- insert_close_attempt --
INSERT INTO offline.close_attempt (voucher_id, attempt_no, plan) VALUES ($1, $2, $3::text::jsonb);

-- advances_on --
SELECT person_id, sum(amount_minor)::bigint AS amount_minor FROM offline.advance WHERE voucher_id = $1
GROUP BY person_id;

-- advances_online --
-- What stands in wallets and may have to be set off: early releases that were posted, on vouchers that aren't closed.
SELECT advance.person_id, sum(advance.amount_minor)::bigint AS amount_minor
FROM offline.advance
JOIN offline.advance_posted USING (transfer_id)
JOIN offline.voucher USING (voucher_id)
WHERE advance.person_id = ANY($1::uuid[]) AND voucher.state IN ('open', 'closing')
GROUP BY advance.person_id;

-- guarantees_used --
SELECT person_id, sum(from_guarantee_minor)::bigint AS amount_minor FROM offline.liability
WHERE person_id = ANY($1::uuid[]) GROUP BY person_id;

-- insert_share --
INSERT INTO offline.share (
    voucher_id, key_id, person_id, home_minor, sole_minor, shared_minor, top_minor, claimed_minor
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- insert_liability --
INSERT INTO offline.liability (
    voucher_id, person_id, key_id, owed_minor, from_shares_minor, from_online_minor, from_guarantee_minor
) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- insert_payout --
INSERT INTO offline.payout (transfer_id, voucher_id, person_id, key_id, amount_minor) VALUES ($1, $2, $3, $4, $5);

-- insert_debt --
INSERT INTO offline.debt (voucher_id, person_id, amount_minor) VALUES ($1, $2, $3);

-- change_debt --
UPDATE offline.holder SET debt_minor = debt_minor + $2 WHERE person_id = $1;

-- use_budget --
WITH used AS (
    UPDATE offline.device SET budget_minor = budget_minor - $2 WHERE key_id = $1 RETURNING device_id
)
INSERT INTO offline.budget_change (device_id, change_no, reason, amount_minor)
SELECT device_id, (
    SELECT coalesce(max(change_no), 0) + 1 FROM offline.budget_change WHERE budget_change.device_id = used.device_id
), 'used', -$2 FROM used;

-- insert_settlement --
INSERT INTO offline.settlement (
    voucher_id, attempt_no, amount_minor, released_minor, from_online_minor, from_operator_minor, paid_minor
) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- close_voucher --
UPDATE offline.voucher SET state = 'closed', closed_at = clock_timestamp() WHERE voucher_id = $1 AND state = 'closing';

-- payouts_waiting --
-- Those that can be tried: of people, and of keys that somebody registered meanwhile.
SELECT payout.transfer_id, payout.voucher_id, payout.amount_minor,
    coalesce(payout.person_id, device.person_id) AS person_id
FROM offline.payout LEFT JOIN offline.device ON device.key_id = payout.key_id
WHERE payout.posted_at IS NULL AND payout.transfer_id > $1
    AND coalesce(payout.person_id, device.person_id) IS NOT NULL
ORDER BY payout.transfer_id LIMIT $2;

-- payouts_waiting_for_person --
SELECT transfer_id, voucher_id, amount_minor, $1::uuid AS person_id FROM offline.payout
WHERE person_id = $1 AND posted_at IS NULL
UNION ALL
SELECT payout.transfer_id, payout.voucher_id, payout.amount_minor, $1::uuid
FROM offline.device JOIN offline.payout ON payout.key_id = device.key_id
WHERE device.person_id = $1 AND payout.posted_at IS NULL
ORDER BY transfer_id LIMIT $2;

-- mark_payout_posted --
UPDATE offline.payout SET posted_at = $2 WHERE transfer_id = $1 AND posted_at IS NULL;

-- beat --
-- Say that a server is at work now. A row comes back only if none was for longer than a number of seconds.
WITH before AS (SELECT beat_at FROM offline.heartbeat),
now AS (
    INSERT INTO offline.heartbeat (beat_at) VALUES (clock_timestamp())
    ON CONFLICT (only_row) DO UPDATE SET beat_at = clock_timestamp()
    RETURNING beat_at
)
SELECT before.beat_at AS began_at, now.beat_at AS ended_at
FROM before CROSS JOIN now
WHERE now.beat_at - before.beat_at > make_interval(secs => $1);

-- move_claims --
-- Locked in the order of ids, as syncs lock them: after an outage everybody syncs.
WITH locked AS (
    SELECT voucher_id FROM offline.voucher
    WHERE state = 'open' AND claim_until >= $1 AND NOT EXISTS (SELECT FROM offline.outage WHERE began_at = $1)
    ORDER BY voucher_id FOR NO KEY UPDATE
), moved AS (
    UPDATE offline.voucher SET claim_until = claim_until + ($2::timestamptz - $1::timestamptz)
    WHERE voucher_id = ANY(ARRAY(SELECT voucher_id FROM locked)) RETURNING voucher_id
)
INSERT INTO offline.outage (began_at, ended_at, moved_count) SELECT $1, $2, count(*) FROM moved
ON CONFLICT (began_at) DO NOTHING RETURNING moved_count;

-- debt_of --
SELECT debt_minor, (SELECT count(*) FROM offline.debt_payment WHERE debt_payment.person_id = holder.person_id)
    AS payment_count
FROM offline.holder WHERE person_id = $1;

-- at_hand --
-- What there is of a person at all, asked once before anything is looked at: payouts on their way, a debt, blocked phones,
-- open vouchers, early releases, what closes brought or took. And everything that decides whether one phone of theirs
-- needs a new certificate: its budget, what its owner could still be granted and whether retired phones give something
-- back, and the newest certificate that it has.
SELECT EXISTS (
        SELECT FROM offline.payout WHERE person_id = $1 AND posted_at IS NULL
        UNION ALL
        SELECT FROM offline.device JOIN offline.payout ON payout.key_id = device.key_id
        WHERE device.person_id = $1 AND payout.posted_at IS NULL
    ) AS payouts_waiting,
    EXISTS (SELECT FROM offline.holder WHERE person_id = $1 AND debt_minor > 0) AS debt,
    EXISTS (SELECT FROM offline.device JOIN offline.revocation USING (key_id) WHERE device.person_id = $1) AS blocks,
    EXISTS (SELECT FROM offline.voucher WHERE person_id = $1 AND state IN ('open', 'closing')) AS open_vouchers,
    EXISTS (SELECT FROM offline.advance WHERE person_id = $1) AS advances,
    EXISTS (SELECT FROM offline.device JOIN offline.share USING (key_id) WHERE device.person_id = $1)
    OR EXISTS (SELECT FROM offline.liability WHERE person_id = $1) AS closes,
    network.revocation_epoch, phone.*
FROM offline.network
LEFT JOIN LATERAL (
    SELECT device.*, holder.granted_minor, coalesce((SELECT paused FROM offline.exposure), false) AS is_paused,
        EXISTS (
            SELECT FROM offline.device AS retired
            WHERE retired.person_id = device.person_id AND retired.retired_at IS NOT NULL AND retired.budget_minor > 0
        ) AS may_give_back,
        certificate.payload, certificate.signature
    FROM offline.device
    JOIN offline.holder USING (person_id)
    CROSS JOIN LATERAL (
        SELECT payload, signature FROM offline.certificate
        WHERE certificate.key_id = device.key_id ORDER BY issued_at DESC, document_id LIMIT 1
    ) AS certificate
    WHERE device.device_id = $2
) AS phone ON true;

-- debt_left --
SELECT coalesce(max(debt_minor), 0)::bigint FROM offline.holder WHERE person_id = $1;

-- people_in_debt --
SELECT person_id, debt_minor FROM offline.holder WHERE debt_minor > 0 ORDER BY person_id;

-- insert_debt_payment --
INSERT INTO offline.debt_payment (person_id, payment_no, transfer_id, amount_minor) VALUES ($1, $2, $3, $4)
ON CONFLICT (person_id, payment_no) DO NOTHING RETURNING true;

-- closed_for_person --
-- Vouchers that closed lately and meant something to one person: a share, an early release, or money made good.
WITH shares AS (
    SELECT share.voucher_id, sum(home_minor)::bigint AS home_minor,
        sum(sole_minor + shared_minor + top_minor)::bigint AS received_minor, sum(claimed_minor)::bigint AS claimed_minor
    FROM offline.device JOIN offline.share USING (key_id)
    WHERE device.person_id = $1 GROUP BY share.voucher_id
), payouts AS (
    SELECT voucher_id, sum(amount_minor)::bigint AS paid_minor,
        coalesce(sum(amount_minor) FILTER (WHERE posted_at IS NULL), 0)::bigint AS waiting_minor
    FROM (
        SELECT voucher_id, amount_minor, posted_at FROM offline.payout WHERE person_id = $1
        UNION ALL
        SELECT payout.voucher_id, payout.amount_minor, payout.posted_at
        FROM offline.device JOIN offline.payout ON payout.key_id = device.key_id WHERE device.person_id = $1
    ) AS payout
    GROUP BY voucher_id
), advances AS (
    SELECT voucher_id, sum(amount_minor)::bigint AS released_minor FROM offline.advance WHERE person_id = $1
    GROUP BY voucher_id
), meant AS (
    SELECT voucher_id FROM shares
    UNION SELECT voucher_id FROM advances
    UNION SELECT voucher_id FROM offline.liability WHERE liability.person_id = $1
)
SELECT settlement.voucher_id, voucher.claim_until, coalesce(home_minor, 0) AS home_minor,
    coalesce(received_minor, 0) AS received_minor, coalesce(claimed_minor, 0) AS claimed_minor,
    coalesce(payouts.paid_minor, 0) AS paid_minor, coalesce(waiting_minor, 0) AS waiting_minor,
    coalesce(advances.released_minor, 0) AS released_minor,
    coalesce(liability.from_shares_minor + liability.from_online_minor, 0) AS made_good_minor,
    coalesce(debt.amount_minor, 0) AS debt_minor, notice.person_id IS NOT NULL AS is_notice
FROM meant
CROSS JOIN LATERAL (
    SELECT voucher_id, recorded_at FROM offline.settlement WHERE settlement.voucher_id = meant.voucher_id OFFSET 0
) AS settlement
CROSS JOIN LATERAL (
    SELECT claim_until FROM offline.voucher WHERE voucher.voucher_id = meant.voucher_id OFFSET 0
) AS voucher
LEFT JOIN shares ON shares.voucher_id = meant.voucher_id
LEFT JOIN payouts ON payouts.voucher_id = meant.voucher_id
LEFT JOIN advances ON advances.voucher_id = meant.voucher_id
LEFT JOIN offline.liability ON liability.voucher_id = settlement.voucher_id AND liability.person_id = $1
LEFT JOIN offline.debt ON debt.voucher_id = settlement.voucher_id AND debt.person_id = $1
LEFT JOIN offline.notice ON notice.voucher_id = settlement.voucher_id AND notice.person_id = $1
WHERE settlement.recorded_at > $2
ORDER BY settlement.recorded_at DESC, settlement.voucher_id LIMIT $3;

-- payouts_waiting_minor --
SELECT coalesce(sum(amount_minor), 0)::bigint FROM (
    SELECT amount_minor FROM offline.payout WHERE person_id = $1 AND posted_at IS NULL
    UNION ALL
    SELECT payout.amount_minor FROM offline.device JOIN offline.payout ON payout.key_id = device.key_id
    WHERE device.person_id = $1 AND payout.posted_at IS NULL
) AS waiting;

-- newest_debt --
SELECT holder.debt_minor, debt.voucher_id
FROM offline.holder JOIN offline.debt USING (person_id)
WHERE holder.person_id = $1 AND holder.debt_minor > 0
ORDER BY debt.recorded_at DESC LIMIT 1;

-- cover_promised --
SELECT coalesce(sum(budget_minor), 0)::bigint FROM offline.device;

-- holders_by_tier --
-- Who holds nothing but locked money can't spend it twice: it needs no guarantee.
SELECT tier, count(*) AS person_count, count(*) FILTER (WHERE can_spend_twice) AS guaranteed_count
FROM (
    SELECT person_id, max(tier) AS tier, bool_or(audience_key_id IS NULL) AS can_spend_twice
    FROM offline.voucher WHERE state IN ('open', 'closing') GROUP BY person_id
) AS holders
GROUP BY tier;

-- keep_exposure --
INSERT INTO offline.exposure (total_minor, paused, measured_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (only_row) DO UPDATE SET total_minor = $1, paused = $2, measured_at = clock_timestamp();

-- is_paused --
SELECT coalesce((SELECT paused FROM offline.exposure), false);

-- figures --
SELECT
    (SELECT coalesce(sum(debt_minor), 0)::bigint FROM offline.holder WHERE debt_minor > 0) AS debt_minor,
    (SELECT coalesce(sum(from_guarantee_minor), 0)::bigint FROM offline.liability) AS paid_guarantee_minor,
    (
        SELECT coalesce(-sum(amount_minor), 0)::bigint FROM offline.budget_change WHERE reason = 'used'
    ) AS paid_cover_minor,
    vouchers.open AS vouchers_open, vouchers.closing AS vouchers_closing, vouchers.due AS closes_due,
    (
        SELECT count(*) FROM offline.close_failure JOIN offline.voucher USING (voucher_id) WHERE state <> 'closed'
    ) AS closes_stuck,
    payouts.waiting AS payouts_waiting, payouts.minor AS payouts_waiting_minor,
    (SELECT revocation_epoch FROM offline.network) AS revocation_epoch
FROM (
    SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'closing') AS closing,
        count(*) FILTER (WHERE state = 'closing' OR claim_until < clock_timestamp()) AS due
    FROM offline.voucher WHERE state IN ('open', 'closing')
) AS vouchers CROSS JOIN (
    SELECT count(*) AS waiting, coalesce(sum(amount_minor), 0)::bigint AS minor
    FROM offline.payout WHERE posted_at IS NULL
) AS payouts;

-- vouchers_waiting_of_person --
-- What isn't spent and closed: on its way in, past its time, being closed.
SELECT voucher_id, person_id, state, amount_minor, currency, issued_at, spend_by, claim_until, failure_count,
    first_failed_at, error
FROM offline.voucher LEFT JOIN offline.close_failure USING (voucher_id)
WHERE person_id = $1 AND (state IN ('draft', 'closing') OR (state = 'open' AND spend_by < $2))
ORDER BY issued_at, voucher_id LIMIT $3;

-- payouts_waiting_of_person --
-- Also those to keys that this person has registered.
SELECT voucher_id, amount_minor, recorded_at FROM offline.payout
WHERE posted_at IS NULL AND (
    person_id = $1 OR key_id IN (SELECT device.key_id FROM offline.device WHERE device.person_id = $1)
)
ORDER BY recorded_at, transfer_id LIMIT $2;

-- vouchers_due --
SELECT voucher_id, person_id, state, amount_minor, currency, issued_at, spend_by, claim_until, failure_count,
    first_failed_at, error
FROM offline.voucher LEFT JOIN offline.close_failure USING (voucher_id)
WHERE state IN ('open', 'closing') AND (state = 'closing' OR claim_until < $1)
ORDER BY claim_by, voucher_id LIMIT $2;
