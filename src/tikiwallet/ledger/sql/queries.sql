-- What the ledger asks of its tables. How value moves stands in the functions of the migrations.

-- open_account --
INSERT INTO ledger.account (
    account_id, kind, currency, balance_min_minor, balance_max_minor, out_per_day_max_minor, out_per_month_max_minor
)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account_id) DO NOTHING;

-- accounts --
SELECT account_id, kind, currency, balance_minor, balance_min_minor, balance_max_minor, out_per_day_max_minor,
    out_per_month_max_minor, closed_at IS NOT NULL AS closed,
    CASE WHEN out_day = today.day THEN out_day_minor ELSE 0 END AS out_today_minor,
    CASE WHEN out_day >= date_trunc('month', today.day::timestamp) THEN out_month_minor ELSE 0 END
    AS out_this_month_minor
FROM ledger.account, (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS day) AS today
WHERE account_id = ANY($1::uuid[]);

-- set_limits --
-- The floor is compared in the same statement: a balance can't slip below it meanwhile.
UPDATE ledger.account SET balance_min_minor = $2, balance_max_minor = $3, out_per_day_max_minor = $4,
    out_per_month_max_minor = $5
WHERE account_id = $1 AND ($2::bigint IS NULL OR balance_minor >= $2)
RETURNING true;

-- close_account --
UPDATE ledger.account SET closed_at = coalesce(closed_at, clock_timestamp())
WHERE account_id = $1 AND balance_minor = 0
RETURNING true;

-- post_one --
SELECT outcome, posted_at FROM ledger.post_one($1, $2, $3, $4, $5, $6, $7);

-- post_batch --
-- Lists as text: asyncpg takes four times as long to pack an array as PostgreSQL takes to read it.
SELECT outcomes, posted_at, known_ats
FROM ledger.post_batch(
    $1::text::uuid[], $2::text::uuid[], $3::text::int[], $4::text::int[], $5::text::int[], $6::text::bigint[],
    $7::text::text[], $8::text::text[], $9, $10
);

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

-- pages --
-- The same for many pages at once that nothing thins out: each is one range of the primary key, read backwards.
SELECT asked.page, p.posting_no, p.transfer_id, p.other_account_id, p.amount_minor, p.balance_minor, p.kind, p.note,
    p.posted_at
FROM unnest($1::uuid[], $2::bigint[], $3::integer[]) WITH ORDINALITY AS asked (account_id, before_no, size, page)
CROSS JOIN LATERAL (
    SELECT * FROM ledger.posting AS q
    WHERE q.account_id = asked.account_id AND q.posting_no < asked.before_no
    ORDER BY q.posting_no DESC
    LIMIT asked.size
) AS p
ORDER BY asked.page, p.posting_no DESC;

-- Below: the rules that `reconcile` proves. Each tells what breaks it: a subject, and what was found there.

-- size_of_the_books --
SELECT (SELECT count(*) FROM ledger.account) AS account_count, (SELECT count(*) FROM ledger.posting) AS posting_count;

-- currency_sums_to_zero --
SELECT currency AS subject, format('the balances sum to %s', sum(balance_minor)) AS found
FROM ledger.account
GROUP BY currency
HAVING sum(balance_minor) <> 0
ORDER BY currency
LIMIT $1;

-- balance_is_sum_of_postings --
SELECT a.account_id::text AS subject,
    format('balance %s, the postings sum to %s', a.balance_minor, coalesce(p.sum_minor, 0)) AS found
FROM ledger.account AS a
LEFT JOIN (
    SELECT account_id, sum(amount_minor) AS sum_minor FROM ledger.posting GROUP BY account_id
) AS p ON p.account_id = a.account_id
WHERE a.balance_minor <> coalesce(p.sum_minor, 0)
ORDER BY a.account_id
LIMIT $1;

-- postings_have_no_gap --
-- Numbers are unique and start at 1 (constraints), so equal count and highest number leave no room for a gap.
SELECT a.account_id::text AS subject,
    format('counted %s, found %s up to number %s', a.posting_count, coalesce(p.found, 0), coalesce(p.highest, 0))
    AS found
FROM ledger.account AS a
LEFT JOIN (
    SELECT account_id, count(*) AS found, max(posting_no) AS highest FROM ledger.posting GROUP BY account_id
) AS p ON p.account_id = a.account_id
WHERE (a.posting_count, a.posting_count) IS DISTINCT FROM (coalesce(p.found, 0), coalesce(p.highest, 0))
ORDER BY a.account_id
LIMIT $1;

-- running_balance_follows --
SELECT format('%s/%s', account_id, posting_no) AS subject,
    format('balance %s after %s, then %s', balance_minor, before_minor, amount_minor) AS found
FROM (
    SELECT account_id, posting_no, amount_minor, balance_minor,
        lag(balance_minor, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY posting_no) AS before_minor
    FROM ledger.posting
) AS p
WHERE balance_minor::numeric <> before_minor::numeric + amount_minor
ORDER BY account_id, posting_no
LIMIT $1;

-- transfer_has_two_postings --
SELECT transfer_id::text AS subject, format('%s postings', count(*)) AS found
FROM ledger.posting
GROUP BY transfer_id
HAVING count(*) <> 2
ORDER BY transfer_id
LIMIT $1;

-- postings_mirror_each_other --
SELECT p.transfer_id::text AS subject,
    format('%s/%s has no mirror', p.account_id, p.posting_no) AS found
FROM ledger.posting AS p
WHERE NOT EXISTS (
    SELECT FROM ledger.posting AS q
    WHERE (q.transfer_id, q.account_id, q.other_account_id, q.amount_minor, q.posted_at, q.kind, q.note)
        = (p.transfer_id, p.other_account_id, p.account_id, -p.amount_minor, p.posted_at, p.kind, p.note)
)
ORDER BY p.transfer_id, p.posting_no
LIMIT $1;

-- transfer_keeps_its_currency --
SELECT p.transfer_id::text AS subject, format('%s to %s', a.currency, b.currency) AS found
FROM ledger.posting AS p
JOIN ledger.account AS a ON a.account_id = p.account_id
JOIN ledger.account AS b ON b.account_id = p.other_account_id
WHERE p.amount_minor < 0 AND a.currency <> b.currency
ORDER BY p.transfer_id
LIMIT $1;

-- posting_has_an_account --
SELECT format('%s/%s', account_id, posting_no) AS subject, 'there is no such account' AS found
FROM ledger.posting AS p
WHERE NOT EXISTS (SELECT FROM ledger.account AS a WHERE a.account_id = p.account_id)
ORDER BY account_id, posting_no
LIMIT $1;

-- balances_by_kind --
SELECT kind, currency, sum(balance_minor) AS balance_minor
FROM ledger.account
GROUP BY kind, currency
ORDER BY currency, kind;

-- insert_correction --
INSERT INTO ledger.correction (
    correction_id, debit_account_id, credit_account_id, amount_minor, currency, reason, proposed_by, proposed_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (correction_id) DO NOTHING RETURNING true;

-- correction --
SELECT * FROM ledger.correction WHERE correction_id = $1;

-- lock_correction --
SELECT * FROM ledger.correction WHERE correction_id = $1 FOR UPDATE;

-- corrections --
-- Newest first.
SELECT * FROM ledger.correction ORDER BY proposed_at DESC, correction_id LIMIT $1;

-- decide_correction --
UPDATE ledger.correction SET state = $2, decided_by = $3, decided_at = $4 WHERE correction_id = $1;

-- insert_audit_entry --
-- The trigger gives it its number and its place in the chain.
INSERT INTO ledger.audit_entry (at, act, actor, subject, address, session_id, label, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- audit_entries_after --
SELECT entry_no, at, act, actor, subject, address, session_id, label, detail, previous_hash, entry_hash
FROM ledger.audit_entry WHERE entry_no > $1 ORDER BY entry_no LIMIT $2;

-- audit_entries_about --
SELECT entry_no, at, act, actor, subject, address, session_id, label, detail, previous_hash, entry_hash
FROM ledger.audit_entry WHERE subject = $1 AND entry_no > $2 ORDER BY entry_no LIMIT $3;

-- audit_head --
SELECT entry_count, head_hash FROM ledger.audit_head;
