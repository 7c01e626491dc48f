-- A claim is four rows, and each of them asked for its parent by itself: that cost as much as everything else that the
-- database does with it. What a reference promises is kept, but asked for once for all rows of a statement: nothing is
-- kept of a payment that isn't kept, and what others refer to is never deleted.
ALTER TABLE offline.piece DROP CONSTRAINT piece_document_id_fkey, DROP CONSTRAINT piece_voucher_id_fkey;
ALTER TABLE offline.submission DROP CONSTRAINT submission_document_id_fkey;

-- Each row looks its parent up by the key: a plan that was made while a table was empty would read all of it for ever.
CREATE FUNCTION offline.piece_of_kept() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh
        WHERE (SELECT count(*) FROM offline.payment WHERE payment.document_id = fresh.document_id) = 0
            OR (SELECT count(*) FROM offline.voucher WHERE voucher.voucher_id = fresh.voucher_id) = 0
    ) THEN
        RAISE EXCEPTION 'a piece is of a payment and of a voucher that are kept'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'piece_of_kept';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER piece_of_kept AFTER INSERT ON offline.piece REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION offline.piece_of_kept();

CREATE FUNCTION offline.submission_of_kept() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh
        WHERE (SELECT count(*) FROM offline.payment WHERE payment.document_id = fresh.document_id) = 0
    ) THEN
        RAISE EXCEPTION 'what was brought is a payment that is kept'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'submission_of_kept';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER submission_of_kept AFTER INSERT ON offline.submission REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION offline.submission_of_kept();

CREATE FUNCTION offline.kept_for_ever() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'a % is never deleted', TG_TABLE_NAME
        USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'kept_for_ever';
END $$;
CREATE TRIGGER kept_for_ever BEFORE DELETE OR TRUNCATE ON offline.payment
    FOR EACH STATEMENT EXECUTE FUNCTION offline.kept_for_ever();
CREATE TRIGGER kept_for_ever BEFORE DELETE OR TRUNCATE ON offline.voucher
    FOR EACH STATEMENT EXECUTE FUNCTION offline.kept_for_ever();
-- The same number of a payment or a voucher has to stay the same, or what refers to it would refer to nothing.
CREATE FUNCTION offline.name_for_ever() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'a % keeps its name', TG_TABLE_NAME
        USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'name_for_ever';
END $$;
CREATE TRIGGER name_for_ever BEFORE UPDATE OF document_id ON offline.payment
    FOR EACH STATEMENT EXECUTE FUNCTION offline.name_for_ever();
CREATE TRIGGER name_for_ever BEFORE UPDATE OF voucher_id ON offline.voucher
    FOR EACH STATEMENT EXECUTE FUNCTION offline.name_for_ever();

-- Asked at every sync, and found by reading whole tables until now: what closes brought the keys of a person, the
-- vouchers of a phone and of a key, and what is proved against a key and by a payment.
CREATE INDEX share_by_key ON offline.share (key_id);
CREATE INDEX voucher_by_device ON offline.voucher (device_id, issued_at);
CREATE INDEX voucher_by_key ON offline.voucher (key_id);
CREATE INDEX proof_by_key ON offline.proof (key_id);
-- Nobody looks for units by themselves any more: a voucher's payments are looked at together, in their order.
DROP INDEX offline.piece_by_units;
CREATE INDEX proof_by_second ON offline.proof (second_id);
