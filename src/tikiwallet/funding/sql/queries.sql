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

-- operations_of_person_underway --
SELECT amount_minor, currency FROM funding.operation
WHERE person_id = $1 AND state NOT IN ('refused', 'settled', 'declined', 'returned') ORDER BY created_at;

-- operations_of_person --
SELECT operation_id, kind, amount_minor, currency, bank, state, created_at, changed_at FROM funding.operation
WHERE person_id = $1 ORDER BY created_at DESC LIMIT $2;

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

-- operations_underway --
SELECT operation_id FROM funding.operation WHERE state NOT IN ('refused', 'settled', 'declined', 'returned');

-- operations_underway_of_person --
SELECT * FROM funding.operation
WHERE person_id = $1 AND state NOT IN ('refused', 'settled', 'declined', 'returned')
ORDER BY created_at, operation_id LIMIT $2;

-- operations_waiting --
-- Those that have waited longest. Reads the whole table: a person asks it now and then, no program does.
SELECT * FROM funding.operation
WHERE state NOT IN ('refused', 'settled', 'declined', 'returned')
ORDER BY changed_at, operation_id LIMIT $1;
