-- The SQL of payments. Every change of a request's state names the state it starts from: of two who want to change
-- it at once, the second finds no row.

-- record_wallet --
INSERT INTO payments.wallet (account_id, person_id, currency) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- wallet_owners --
SELECT account_id, person_id FROM payments.wallet WHERE account_id = ANY($1);

-- is_paying_requests --
SELECT EXISTS (SELECT FROM payments.request WHERE state = 'accepted' AND (payer_id = $1 OR payee_id = $1));

-- insert_request --
INSERT INTO payments.request (
    request_id, payee_id, payer_id, amount_minor, currency, memo, created_at, expires_at, changed_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7)
ON CONFLICT (request_id) DO NOTHING;

-- request_by_id --
SELECT * FROM payments.request WHERE request_id = $1;

-- open_requests_between --
SELECT count(*) FROM payments.request WHERE payee_id = $1 AND payer_id = $2 AND state = 'open' AND reference IS NULL;

-- expire_requests --
-- Those that this person would see. Locked in the order of their ids, so that two parties can't deadlock.
WITH due AS (
    SELECT request_id
    FROM payments.request
    WHERE state = 'open' AND expires_at <= $2 AND (payer_id = $1 OR payee_id = $1)
    ORDER BY request_id
    FOR UPDATE
)
UPDATE payments.request SET state = 'expired', changed_at = expires_at
FROM due
WHERE request.request_id = due.request_id;

-- request_page --
-- Newest first; the cursor is the last request seen, so that new requests never shift a page. Null: no such filter.
-- An attempt to pay a scanned code isn't a request that anybody would answer later.
SELECT *
FROM payments.request
WHERE reference IS NULL
    AND (($2::boolean AND payer_id = $1) OR ($3::boolean AND payee_id = $1))
    AND ($4::text IS NULL OR state = $4)
    AND ($5::timestamptz IS NULL OR (created_at, request_id) < ($5, $6::uuid))
ORDER BY created_at DESC, request_id DESC
LIMIT $7;

-- accept_request --
UPDATE payments.request
SET state = 'accepted', changed_at = $2, attempt = attempt + 1, payment_key = $3, leased_until = $4
WHERE request_id = $1 AND state = 'open' AND expires_at > $2
RETURNING *;

-- lease_request --
-- The process that had it gave it back or is gone: its lease has run out. A new attempt, so that the old one can't reopen it any more.
UPDATE payments.request SET leased_until = $3, attempt = attempt + 1
WHERE request_id = $1 AND state = 'accepted' AND (leased_until IS NULL OR leased_until <= $2)
RETURNING *;

-- release_request --
UPDATE payments.request SET leased_until = NULL WHERE request_id = $1 AND state = 'accepted' AND attempt = $2;

-- mark_request_paid --
UPDATE payments.request SET state = 'paid', changed_at = $2, paid_at = $2, leased_until = NULL
WHERE request_id = $1 AND state = 'accepted'
RETURNING *;

-- reopen_request --
UPDATE payments.request SET state = 'open', changed_at = $3, payment_key = NULL, leased_until = NULL
WHERE request_id = $1 AND state = 'accepted' AND attempt = $2;

-- close_request --
UPDATE payments.request SET state = $2, changed_at = $3
WHERE request_id = $1 AND state = 'open' AND expires_at > $3
RETURNING *;

-- shown_request --
SELECT * FROM payments.shown_request WHERE reference = $1;

-- codes_shown_by --
SELECT count(*) FROM payments.shown_request WHERE payee_id = $1 AND payable_until > $2 AND cancelled_at IS NULL;

-- insert_shown_request --
INSERT INTO payments.shown_request (reference, payee_id, amount_minor, currency, shown_at, payable_until)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (reference) DO NOTHING;

-- renew_shown_request --
UPDATE payments.shown_request SET payable_until = $2 WHERE reference = $1 AND cancelled_at IS NULL;

-- payee_told --
UPDATE payments.shown_request SET payee_told_at = $2 WHERE reference = $1 AND payee_told_at IS NULL;

-- insert_attempt --
INSERT INTO payments.request (
    request_id, payee_id, payer_id, amount_minor, currency, memo, created_at, expires_at, changed_at, reference
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $9)
ON CONFLICT (request_id) DO NOTHING;

-- taken_attempt --
SELECT * FROM payments.request WHERE reference = $1 AND state IN ('accepted', 'paid');

-- cancel_shown_request --
UPDATE payments.shown_request SET cancelled_at = $2 WHERE reference = $1 AND cancelled_at IS NULL;

-- requests_being_paid_of_person --
SELECT request_id, payer_id, amount_minor, currency, changed_at FROM payments.request
WHERE state = 'accepted' AND (payer_id = $1 OR payee_id = $1) ORDER BY changed_at, request_id LIMIT $2;
