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

-- count_active_devices --
SELECT count(*) FROM offline.device WHERE person_id = $1 AND retired_at IS NULL;

-- retire_device --
UPDATE offline.device SET retired_at = $2 WHERE device_id = $1 AND retired_at IS NULL;

-- latest_certificate --
SELECT payload, signature FROM offline.certificate WHERE key_id = $1 ORDER BY issued_at DESC, document_id LIMIT 1;

-- certificates_of_keys --
SELECT payload, signature FROM offline.certificate WHERE key_id = ANY($1::bytea[]);

-- insert_certificate --
INSERT INTO offline.certificate (
    document_id, key_id, payload, signature, issued_at, valid_until, cover_budget_minor
) VALUES ($1, $2, $3, $4, $5, $6, $7)
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
);

-- next_epoch --
-- One row for all, so that lists are numbered in the order in which they become visible.
UPDATE offline.network SET revocation_epoch = revocation_epoch + 1 RETURNING revocation_epoch;

-- insert_revocation --
INSERT INTO offline.revocation (key_id, epoch, reason) VALUES ($1, $2, $3) ON CONFLICT (key_id) DO NOTHING;

-- is_revoked --
SELECT EXISTS (SELECT FROM offline.revocation WHERE key_id = $1);

-- newest_revocations --
SELECT key_id, epoch FROM offline.revocation WHERE recorded_at > $1 ORDER BY epoch DESC LIMIT $2;

-- newest_epoch --
SELECT revocation_epoch FROM offline.network;

-- device --
SELECT * FROM offline.device WHERE device_id = $1;

-- voucher --
SELECT * FROM offline.voucher WHERE voucher_id = $1;

-- lock_voucher --
SELECT state, payload FROM offline.voucher WHERE voucher_id = $1 FOR NO KEY UPDATE;

-- insert_voucher --
INSERT INTO offline.voucher (
    voucher_id, person_id, device_id, key_id, currency, units, amount_minor, state,
    document_id, payload, tier, cover_minor, issued_at, spend_by, claim_by
) VALUES ($1, $2, $3, $4, $5, $6, $7, 'draft', $8, $9, $10, $11, $12, $13, $14);

-- redraft_voucher --
-- A refused load is tried again under the same number and the same units, with today's dates.
UPDATE offline.voucher
SET state = 'draft', refused_code = NULL, document_id = $2, payload = $3, tier = $4, cover_minor = $5,
    issued_at = $6, spend_by = $7, claim_by = $8
WHERE voucher_id = $1 AND state = 'refused';

-- refuse_voucher --
-- Only a draft: a repetition may have found the money in between and opened it.
UPDATE offline.voucher SET state = 'refused', refused_code = $2 WHERE voucher_id = $1 AND state = 'draft';

-- open_voucher --
UPDATE offline.voucher SET state = 'open', signature = $2, opened_at = $3, refused_code = NULL
WHERE voucher_id = $1 AND state IN ('draft', 'refused');

-- open_vouchers_of_device --
SELECT * FROM offline.voucher WHERE device_id = $1 AND state = 'open' ORDER BY issued_at, voucher_id;

-- count_vouchers_not_closed --
SELECT count(*) FROM offline.voucher WHERE person_id = $1 AND state IN ('draft', 'open');

-- is_named --
SELECT EXISTS (SELECT FROM offline.proof WHERE person_id = $1);
