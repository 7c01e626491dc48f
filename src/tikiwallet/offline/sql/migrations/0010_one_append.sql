-- What a sync appends cost the database as much as everything else that it asks. Now one function appends it: bytes that
-- all have one length come as one string instead of being written and read as text, who brought a payment first is a column
-- of its row instead of a row of its own, and whether a double spend may be among it is told with the answer instead of
-- being asked next.

-- Who brings a payment first is told in its row: nearly always nobody brings it again. Empty where it came only as a part
-- of what somebody else brought, and in rows that were kept before this release: there, and for all who bring it again, it
-- is in `submission`, as before.
ALTER TABLE offline.payment ADD COLUMN brought_by uuid;

-- The start of an id is found in the index of ids.
DROP INDEX offline.payment_by_short_id;

-- Nearly always empty, so that asking it for fifty vouchers costs nothing.
CREATE INDEX voucher_contested ON offline.voucher (voucher_id) WHERE is_contested;

CREATE FUNCTION offline.append_claims(
    p_person_id uuid,                  -- who brings them
    p_document_ids bytea,              -- of all payments, in ascending order: 32 bytes each, one after the other
    p_payloads bytea[],
    p_signatures bytea,                -- 64 bytes each
    p_payer_key_ids bytea,             -- 16 bytes each
    p_payee_key_ids bytea,             -- 16 bytes each
    p_currencies int[],
    p_totals_minor bigint[],
    p_are_brought boolean[],           -- or came only as a part of what was
    p_payments int[],                  -- for each piece: its payment, numbered from 1
    p_piece_nos smallint[],
    p_voucher_ids uuid[],
    p_parent_document_ids bytea,       -- 32 bytes each
    p_firsts bigint[],
    p_pasts bigint[],
    OUT new_ids bytea[],               -- of payments that nobody had brought before
    OUT known_at timestamptz,          -- a moment after the last of them was recorded
    OUT contested_ids uuid[]           -- vouchers among those of new payments on which a unit was paid twice or handed on
)
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    WITH fresh AS (
        INSERT INTO offline.payment (
            document_id, payload, signature, payer_key_id, payee_key_id, currency, total_minor, brought_by
        )
        SELECT substr(p_document_ids, 32 * n - 31, 32), payload, substr(p_signatures, 64 * n - 63, 64),
            substr(p_payer_key_ids, 16 * n - 15, 16), substr(p_payee_key_ids, 16 * n - 15, 16), currency, total_minor,
            CASE WHEN is_brought THEN p_person_id END
        FROM unnest(p_payloads, p_currencies, p_totals_minor, p_are_brought) WITH ORDINALITY
            AS given (payload, currency, total_minor, is_brought, place),
            LATERAL (SELECT place::int) AS placed (n)
        ON CONFLICT (document_id) DO NOTHING
        RETURNING document_id
    )
    SELECT coalesce(array_agg(document_id), '{}') INTO new_ids FROM fresh;

    IF cardinality(new_ids) > 0 THEN
        INSERT INTO offline.piece (document_id, piece_no, voucher_id, parent_document_id, units)
        SELECT fresh.document_id, piece_no, voucher_id, substr(p_parent_document_ids, 32 * place::int - 31, 32),
            int8range(first, past)
        FROM unnest(p_payments, p_piece_nos, p_voucher_ids, p_firsts, p_pasts) WITH ORDINALITY
            AS given (n, piece_no, voucher_id, first, past, place)
        JOIN unnest(new_ids) AS fresh (document_id) ON fresh.document_id = substr(p_document_ids, 32 * n - 31, 32);
    END IF;
    IF cardinality(new_ids) < cardinality(p_payloads) THEN
        INSERT INTO offline.submission (document_id, person_id)
        SELECT document_id, p_person_id
        FROM unnest(p_are_brought) WITH ORDINALITY AS given (is_brought, place),
            LATERAL (SELECT substr(p_document_ids, 32 * place::int - 31, 32)) AS named (document_id)
        WHERE is_brought AND NOT EXISTS (
            SELECT FROM offline.payment WHERE payment.document_id = named.document_id AND brought_by = p_person_id OFFSET 0
        )
        ON CONFLICT (document_id, person_id) DO NOTHING;
    END IF;
    -- Whoever appends holds the locks of the vouchers: what they say is said for good.
    contested_ids := ARRAY(
        SELECT voucher_id FROM offline.voucher
        WHERE voucher_id = ANY(p_voucher_ids) AND is_contested AND cardinality(new_ids) > 0
    );
    known_at := clock_timestamp();
END $$;
REVOKE ALL ON FUNCTION offline.append_claims(
    uuid, bytea, bytea[], bytea, bytea, bytea, int[], bigint[], boolean[], int[], smallint[], uuid[], bytea, bigint[],
    bigint[]
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION offline.append_claims(
    uuid, bytea, bytea[], bytea, bytea, bytea, int[], bigint[], boolean[], int[], smallint[], uuid[], bytea, bigint[],
    bigint[]
) TO tikiwallet_offline;
