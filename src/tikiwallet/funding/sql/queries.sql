-- The SQL of funding. One process at a time has an operation to itself (a lease); each step is written
-- by the attempt that made it, so that a process which lost its lease can't write any more.

-- insert_operation --
INSERT INTO funding.operation (
    operation_id, person_id, kind, amount_minor, currency, bank, created_at, changed_at, leased_until, through, method_id,
    fee_minor, origin
) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12)
ON CONFLICT (operation_id) DO NOTHING
RETURNING *;

-- operation_by_id --
SELECT * FROM funding.operation WHERE operation_id = $1;

-- obstacles_of_person --
SELECT 'operation' AS kind, amount_minor, currency, created_at FROM funding.operation
WHERE person_id = $1 AND state NOT IN ('refused', 'settled', 'declined', 'returned')
UNION ALL
-- What is frozen goes back to the wallet if the person is right, and what is owed comes out of it.
SELECT 'operation', amount_minor, currency, opened_at FROM funding.dispute WHERE person_id = $1 AND state = 'open'
UNION ALL
SELECT 'debt', amount_minor - frozen_minor - repaid_minor, currency, opened_at FROM funding.dispute
WHERE person_id = $1 AND state = 'lost' AND frozen_minor + repaid_minor < amount_minor
ORDER BY created_at;

-- operations_of_person --
SELECT operation_id, kind, amount_minor, currency, fee_minor, bank, through, method_id, state, reason, created_at,
    changed_at, expected_by
FROM funding.operation
WHERE person_id = $1 ORDER BY created_at DESC LIMIT $2;

-- disputes_exported --
SELECT dispute_id, operation_id, amount_minor, currency, reason, state, frozen_minor, repaid_minor, opened_at, changed_at
FROM funding.dispute WHERE person_id = $1 ORDER BY opened_at DESC, dispute_id LIMIT $2;

-- lease_operation --
UPDATE funding.operation SET attempt = attempt + 1, leased_until = $3
WHERE operation_id = $1
    AND (leased_until IS NULL OR leased_until <= $2)
    AND state NOT IN ('refused', 'settled', 'declined', 'returned')
RETURNING *;

-- request_operation_again --
UPDATE funding.operation SET state = 'requested', changed_at = $2, attempt = attempt + 1, leased_until = $3
WHERE operation_id = $1 AND state = 'refused'
RETURNING *;

-- move_operation --
-- What an answer says of page and dates replaces what an earlier one said; a step that stays where it is changes no date.
UPDATE funding.operation SET
    state = $4, changed_at = CASE WHEN state = $4 THEN changed_at ELSE $5 END, reason = $6, go_to_url = $7,
    expires_at = $8, expected_by = $9
WHERE operation_id = $1 AND attempt = $2 AND state = $3
RETURNING *;

-- insert_provider_object --
INSERT INTO funding.provider_object (operation_id, step, object_id, made_at) VALUES ($1, $2, $3, $4);

-- provider_objects_of --
SELECT step, object_id FROM funding.provider_object WHERE operation_id = $1;

-- cancel_operation --
UPDATE funding.operation SET is_cancelled = true
WHERE operation_id = $1 AND person_id = $2 AND kind = $3
    AND state IN ('requested', 'reserved', 'pending')
RETURNING *;

-- tries_of --
-- How often this person, and this address, tried to top up since $3 and was declined since $4.
SELECT
    count(*) FILTER (WHERE person_id = $1 AND created_at > $3) AS tries_of_person,
    count(*) FILTER (WHERE origin = $2 AND created_at > $3) AS tries_of_origin,
    count(*) FILTER (WHERE person_id = $1 AND state = 'declined' AND reason = '') AS declines_of_person,
    count(*) FILTER (WHERE origin = $2 AND state = 'declined' AND reason = '') AS declines_of_origin
FROM funding.operation
WHERE (person_id = $1 OR origin = $2) AND kind = 'top_up' AND created_at > least($3::timestamptz, $4::timestamptz);

-- release_operation --
UPDATE funding.operation SET leased_until = NULL WHERE operation_id = $1 AND attempt = $2;

-- subjects_underway --
-- What our books and the world may still differ by, named as both name it.
SELECT 'operation ' || operation_id AS subject FROM funding.operation
WHERE state NOT IN ('refused', 'settled', 'declined', 'returned')
UNION ALL
SELECT 'dispute ' || dispute_id FROM funding.dispute WHERE state = 'open';

-- operations_underway_of_person --
SELECT * FROM funding.operation
WHERE person_id = $1 AND state NOT IN ('refused', 'settled', 'declined', 'returned')
ORDER BY created_at, operation_id LIMIT $2;

-- operations_waiting --
-- Those that have waited longest. Reads the whole table: a person asks it now and then, no program does.
SELECT * FROM funding.operation
WHERE state NOT IN ('refused', 'settled', 'declined', 'returned')
ORDER BY changed_at, operation_id LIMIT $1;

-- customer_of --
SELECT customer_id FROM funding.customer WHERE person_id = $1;

-- insert_customer --
INSERT INTO funding.customer (person_id, customer_id) VALUES ($1, $2)
ON CONFLICT (person_id) DO NOTHING;

-- payout_account_of --
SELECT account_id, state FROM funding.payout_account WHERE person_id = $1;

-- insert_payout_account --
INSERT INTO funding.payout_account (person_id, account_id) VALUES ($1, $2)
ON CONFLICT (person_id) DO NOTHING;

-- set_payout_account_state --
UPDATE funding.payout_account SET state = $2, changed_at = now() WHERE account_id = $1 AND state <> $2;

-- payout_account_is_known --
SELECT EXISTS (SELECT FROM funding.payout_account WHERE account_id = $1);

-- operation_of_object --
SELECT operation_id FROM funding.provider_object WHERE object_id = $1;

-- insert_provider_event --
INSERT INTO funding.provider_event (event_id, kind, payload, made_at, received_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (event_id) DO NOTHING
RETURNING true;

-- provider_event_by_id --
SELECT payload, processed_at FROM funding.provider_event WHERE event_id = $1;

-- mark_provider_event_processed --
UPDATE funding.provider_event SET processed_at = $2 WHERE event_id = $1 AND processed_at IS NULL;

-- newest_provider_event --
SELECT max(made_at) FROM funding.provider_event;

-- insert_dispute --
INSERT INTO funding.dispute (
    dispute_id, operation_id, person_id, amount_minor, currency, reason, due_by, opened_at, changed_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (dispute_id) DO NOTHING
RETURNING true;

-- lease_dispute --
UPDATE funding.dispute SET leased_until = $3
WHERE dispute_id = $1 AND (leased_until IS NULL OR leased_until <= $2)
RETURNING *;

-- release_dispute --
UPDATE funding.dispute SET leased_until = NULL WHERE dispute_id = $1;

-- dispute_by_id --
SELECT * FROM funding.dispute WHERE dispute_id = $1;

-- count_dispute_takings --
SELECT count(*)::integer FROM funding.dispute_taking WHERE dispute_id = $1;

-- insert_dispute_taking --
INSERT INTO funding.dispute_taking (dispute_id, number, transfer_id, amount_minor) VALUES ($1, $2, $3, $4)
ON CONFLICT (dispute_id, number) DO NOTHING
RETURNING true;

-- add_to_dispute --
UPDATE funding.dispute SET frozen_minor = frozen_minor + $2, repaid_minor = repaid_minor + $3, changed_at = $4
WHERE dispute_id = $1
RETURNING *;

-- close_dispute --
UPDATE funding.dispute SET state = $2, changed_at = $3 WHERE dispute_id = $1 AND state = 'open' RETURNING *;

-- disputes_of_person --
SELECT * FROM funding.dispute WHERE person_id = $1 ORDER BY opened_at DESC, dispute_id LIMIT $2;

-- disputes_owed_by --
-- What was spent before it could be frozen, and isn't back.
SELECT dispute_id FROM funding.dispute
WHERE person_id = $1 AND state <> 'won' AND frozen_minor + repaid_minor < amount_minor
ORDER BY dispute_id;

-- disputes_to_look_at --
-- The operator's list: what waits for the bank, and what is owed.
SELECT * FROM funding.dispute
WHERE state = 'open' OR (state = 'lost' AND frozen_minor + repaid_minor < amount_minor)
ORDER BY due_by NULLS LAST, opened_at LIMIT $1;
