-- Nearly every sync brings payments straight from vouchers of which no unit was paid on or twice. Those are locked and
-- appended to by one statement, which is a transaction of its own: locking, beginning and committing apart cost as much as
-- a third of the append. Whatever isn't so plain is left to the longer way, and nothing of it is written here.
CREATE FUNCTION offline.append_plain_claims(
    p_person_id uuid,                  -- these are as in append_claims
    p_document_ids bytea,
    p_payloads bytea[],
    p_signatures bytea,
    p_payer_key_ids bytea,
    p_payee_key_ids bytea,
    p_currencies int[],
    p_totals_minor bigint[],
    p_are_brought boolean[],
    p_payments int[],
    p_piece_nos smallint[],
    p_parent_document_ids bytea,       -- of vouchers
    p_firsts bigint[],
    p_pasts bigint[],
    OUT new_ids bytea[],               -- NULL: it isn't plain, and nothing was appended
    OUT known_at timestamptz,
    OUT claims_until timestamptz       -- when the time for claims on the first of the vouchers ends
)
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_parent_ids bytea[] := ARRAY(
        SELECT substr(p_parent_document_ids, 32 * n - 31, 32) FROM generate_series(1, cardinality(p_payments)) AS n
    );
    v_voucher_ids uuid[];
    v_document_ids bytea[];
    v_is_contested boolean;
    v_contested_ids uuid[];
BEGIN
    -- Always in the order of ids, so that two syncs can't wait for each other.
    SELECT array_agg(voucher_id), array_agg(document_id), bool_or(is_contested), min(claim_until)
    INTO v_voucher_ids, v_document_ids, v_is_contested, claims_until
    FROM (
        SELECT voucher_id, document_id, is_contested, claim_until FROM offline.voucher
        WHERE document_id = ANY(v_parent_ids) AND state IN ('open', 'closing', 'closed')
        ORDER BY voucher_id FOR NO KEY UPDATE
    ) AS locked;
    IF v_is_contested THEN
        RETURN;
    END IF;
    v_voucher_ids := ARRAY(
        SELECT v_voucher_ids[array_position(v_document_ids, parent_id)]
        FROM unnest(v_parent_ids) WITH ORDINALITY AS given (parent_id, place) ORDER BY place
    );
    IF array_position(v_voucher_ids, NULL) IS NOT NULL THEN  -- the operator never opened it
        RETURN;
    END IF;
    SELECT appended.new_ids, appended.known_at, appended.contested_ids INTO new_ids, known_at, v_contested_ids
    FROM offline.append_claims(
        p_person_id, p_document_ids, p_payloads, p_signatures, p_payer_key_ids, p_payee_key_ids, p_currencies,
        p_totals_minor, p_are_brought, p_payments, p_piece_nos, v_voucher_ids, p_parent_document_ids, p_firsts, p_pasts
    ) AS appended;
    IF cardinality(v_contested_ids) > 0 THEN
        RAISE EXCEPTION 'a unit is paid twice' USING ERRCODE = 'check_violation', CONSTRAINT = 'claims_are_plain';
    END IF;
END $$;
REVOKE ALL ON FUNCTION offline.append_plain_claims(
    uuid, bytea, bytea[], bytea, bytea, bytea, int[], bigint[], boolean[], int[], smallint[], bytea, bigint[], bigint[]
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION offline.append_plain_claims(
    uuid, bytea, bytea[], bytea, bytea, bytea, int[], bigint[], boolean[], int[], smallint[], bytea, bigint[], bigint[]
) TO tikiwallet_offline;
