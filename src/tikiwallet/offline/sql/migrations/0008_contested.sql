-- Nearly every voucher is only ever paid out of directly, each unit once. Which ones aren't is said in their row, so that
-- a sync needn't read all that was ever paid from a voucher to find out: not to look for a double spend, and not to tell
-- a payee where the money is. Once contested is contested for ever, and nobody but this trigger says so. Whoever writes
-- a piece holds the lock of its voucher.
ALTER TABLE offline.voucher ADD COLUMN is_contested boolean NOT NULL DEFAULT false;

CREATE FUNCTION offline.note_contested() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog SET enable_seqscan = off AS $$
BEGIN
    -- In the order of their first units, if any two overlap, then a piece overlaps the one before it.
    UPDATE offline.voucher SET is_contested = true
    WHERE voucher_id = ANY(ARRAY(
        SELECT voucher_id
        FROM (
            SELECT voucher.voucher_id, piece.parent_document_id <> voucher.document_id AS is_handed_on,
                lag(upper(piece.units)) OVER (PARTITION BY voucher.voucher_id ORDER BY lower(piece.units))
                    > lower(piece.units) AS is_paid_twice
            FROM offline.voucher
            CROSS JOIN LATERAL (
                SELECT parent_document_id, units FROM offline.piece
                WHERE piece.voucher_id = voucher.voucher_id OFFSET 0
            ) AS piece
            WHERE voucher.voucher_id = ANY(ARRAY(SELECT DISTINCT voucher_id FROM fresh)) AND NOT voucher.is_contested
        ) AS paid
        WHERE is_handed_on OR is_paid_twice
    ));
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION offline.note_contested() FROM PUBLIC;
CREATE TRIGGER note_contested AFTER INSERT ON offline.piece REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION offline.note_contested();

-- What was brought before this release.
UPDATE offline.voucher SET is_contested = true
WHERE voucher_id IN (
    SELECT voucher_id
    FROM (
        SELECT voucher.voucher_id, piece.parent_document_id <> voucher.document_id AS is_handed_on,
            lag(upper(piece.units)) OVER (PARTITION BY voucher.voucher_id ORDER BY lower(piece.units))
                > lower(piece.units) AS is_paid_twice
        FROM offline.voucher JOIN offline.piece ON piece.voucher_id = voucher.voucher_id
    ) AS paid
    WHERE is_handed_on OR is_paid_twice
);
