-- What the ledger asks of its tables. How value moves stands in the functions of the migrations.

-- open_account --
INSERT INTO ledger.account (
    account_id, kind, currency, balance_min_minor, balance_max_minor, out_per_day_max_minor
)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id) DO NOTHING;

-- accounts --
SELECT account_id, kind, currency, balance_minor, balance_min_minor, balance_max_minor, out_per_day_max_minor,
    closed_at IS NOT NULL AS closed
FROM ledger.account
WHERE account_id = ANY($1::uuid[]);

-- set_limits --
-- The floor is compared in the same statement: a balance can't slip below it meanwhile.
UPDATE ledger.account SET balance_min_minor = $2, balance_max_minor = $3, out_per_day_max_minor = $4
WHERE account_id = $1 AND ($2::bigint IS NULL OR balance_minor >= $2)
RETURNING true;

-- close_account --
UPDATE ledger.account SET closed_at = coalesce(closed_at, clock_timestamp())
WHERE account_id = $1 AND balance_minor = 0
RETURNING true;

-- post_one --
SELECT outcome, posted_at FROM ledger.post_one($1, $2, $3, $4, $5, $6, $7);

-- post_batch --
SELECT outcomes, posted_ats FROM ledger.post_batch($1, $2, $3, $4, $5, $6, $7, $8);

-- posted --
SELECT p.transfer_id, p.account_id AS debit_account_id, p.other_account_id AS credit_account_id,
    -p.amount_minor AS amount_minor, a.currency, p.kind, p.note
FROM ledger.posting AS p
JOIN ledger.account AS a ON a.account_id = p.account_id
WHERE p.transfer_id = $1 AND p.amount_minor < 0;

-- statement --
-- Newest first. The cursor and both instants become one range of the primary key; the other filters thin it out.
SELECT posting_no, transfer_id, other_account_id, amount_minor, balance_minor, kind, note, posted_at
FROM ledger.posting
WHERE account_id = $1
    AND posting_no < $2
    AND posting_no >= CASE WHEN $3::timestamptz IS NULL THEN 1 ELSE ledger.posting_no_at($1, $3) END
    AND posting_no < CASE WHEN $4::timestamptz IS NULL THEN $2 ELSE ledger.posting_no_at($1, $4) END
    AND (cardinality($5::text[]) = 0 OR kind = ANY($5))
    AND ($6::integer = 0 OR sign(amount_minor) = $6)
ORDER BY posting_no DESC
LIMIT $7;
