-- Books of $accounts wallets that keep every rule of the ledger: each was filled once by the bank, and in each of $rounds
-- rounds each pays one other and is paid by one. Balances and numbers follow from the round, so a set is written at once.
-- Indexes are made when the rows are there, as full as they are after years of inserts at random places (70 %).

CREATE FUNCTION pg_temp.wallet(number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN md5('wallet/' || number)::uuid;

SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
ALTER TABLE ledger.posting DROP CONSTRAINT posting_numbered_once;
DROP INDEX ledger.transfer_posted_once;
ALTER TABLE ledger.correction DROP CONSTRAINT correction_from_an_account;
ALTER TABLE ledger.correction DROP CONSTRAINT correction_to_an_account;
ALTER TABLE ledger.account DROP CONSTRAINT account_opened_once;

INSERT INTO ledger.account (
    account_id, kind, currency, balance_minor, posting_count, balance_min_minor, balance_max_minor,
    out_per_day_max_minor, out_day, out_day_minor
)
SELECT pg_temp.wallet(number), 'wallet', 'SGD', 1000000, 1 + 2 * $rounds, 0, 100000000, 100000000,
    CASE WHEN $rounds > 0 THEN '2026-01-01'::date + $rounds END, 10 * $rounds
FROM generate_series(0, $accounts - 1) AS number
UNION ALL
SELECT '00000000-0000-0000-0000-000000000001', 'bank', 'SGD', -1000000::bigint * $accounts, $accounts, NULL, NULL, NULL,
    '2026-01-01', 1000000::bigint * $accounts;

INSERT INTO ledger.posting (
    account_id, posting_no, transfer_id, other_account_id, amount_minor, balance_minor, posted_at, kind, note
)
SELECT leg.account_id, leg.posting_no, md5('fill/' || number)::uuid, leg.other_account_id, leg.amount_minor,
    leg.balance_minor, '2026-01-01T12:00Z', 'top_up', ''
FROM generate_series(0, $accounts - 1) AS number
CROSS JOIN LATERAL (VALUES
    ('00000000-0000-0000-0000-000000000001'::uuid, number + 1, pg_temp.wallet(number), -1000000,
        -1000000::bigint * (number + 1)),
    (pg_temp.wallet(number), 1, '00000000-0000-0000-0000-000000000001'::uuid, 1000000, 1000000)
) AS leg (account_id, posting_no, other_account_id, amount_minor, balance_minor);

INSERT INTO ledger.posting (
    account_id, posting_no, transfer_id, other_account_id, amount_minor, balance_minor, posted_at, kind, note
)
SELECT leg.account_id, leg.posting_no, md5(format('pay/%s/%s', round, payer))::uuid, leg.other_account_id,
    leg.amount_minor, leg.balance_minor, '2026-01-01T12:00Z'::timestamptz + round * interval '1 day', 'payment', 'lunch'
FROM generate_series(1, $rounds) AS round
CROSS JOIN generate_series(0, $accounts - 1) AS payer
CROSS JOIN LATERAL (SELECT (payer + round * 7919) % $accounts AS payee) AS other
CROSS JOIN LATERAL (VALUES
    (pg_temp.wallet(payer), 2 * round, pg_temp.wallet(payee), -10 * round, 1000000 - 10 * round),
    (pg_temp.wallet(payee), 2 * round + 1, pg_temp.wallet(payer), 10 * round, 1000000)
) AS leg (account_id, posting_no, other_account_id, amount_minor, balance_minor)
ORDER BY round;

ALTER TABLE ledger.account ADD CONSTRAINT account_opened_once PRIMARY KEY (account_id) WITH (fillfactor = 70);
ALTER TABLE ledger.correction ADD CONSTRAINT correction_from_an_account
FOREIGN KEY (debit_account_id) REFERENCES ledger.account;
ALTER TABLE ledger.correction ADD CONSTRAINT correction_to_an_account
FOREIGN KEY (credit_account_id) REFERENCES ledger.account;
ALTER TABLE ledger.posting ADD CONSTRAINT posting_numbered_once PRIMARY KEY (account_id, posting_no)
WITH (fillfactor = 70);
CREATE UNIQUE INDEX transfer_posted_once ON ledger.posting (transfer_id) WITH (fillfactor = 70) WHERE amount_minor < 0;
ALTER INDEX ledger.account_opened_once RESET (fillfactor);
ALTER INDEX ledger.posting_numbered_once RESET (fillfactor);
ALTER INDEX ledger.transfer_posted_once RESET (fillfactor);
