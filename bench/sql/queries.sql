-- People with a wallet and a session each, as sign-ups would leave them: a thousand would take as many text messages.

-- insert_people --
INSERT INTO identity.person (person_id, username, phone, password_hash, tier, created_at)
SELECT person_id, username, phone, '$argon2id$nobody-signs-in', 'phone', $4
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS p (person_id, username, phone);

-- insert_sessions --
INSERT INTO identity.session (session_id, person_id, issued_at, expires_at)
SELECT session_id, person_id, $3, $4 FROM unnest($1::uuid[], $2::uuid[]) AS s (session_id, person_id);

-- insert_wallets --
INSERT INTO payments.wallet (account_id, person_id, currency)
SELECT account_id, person_id, 'SGD' FROM unnest($1::uuid[], $2::uuid[]) AS w (account_id, person_id);

-- open_accounts --
INSERT INTO ledger.account (account_id, kind, currency, balance_min_minor, balance_max_minor)
SELECT account_id, 'wallet', 'SGD', 0, $2 FROM unnest($1::uuid[]) AS account_id;

-- fill_lean --
INSERT INTO lean.account (id, balance, credits) SELECT n, $2, $2 FROM generate_series(0, $1) AS n;

-- fund_without_postings --
-- The limit's accounts, which `reconcile` never sees: their money comes from nowhere.
UPDATE ledger.account SET balance_minor = $2 WHERE account_id = ANY($1::uuid[]);

-- people --
SELECT person_id, username, phone, tier, state, frozen_because FROM identity.person WHERE person_id = ANY($1::uuid[]);

-- payments_posted --
SELECT count(*) FROM ledger.posting WHERE kind = 'payment' AND amount_minor < 0;
