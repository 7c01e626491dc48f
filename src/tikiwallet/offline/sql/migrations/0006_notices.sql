-- A first, small double spend that cost nobody but whoever did it: they may load again, on a new key. Once in a life.
CREATE TABLE offline.notice (
    person_id uuid NOT NULL REFERENCES offline.holder,
    voucher_id uuid NOT NULL REFERENCES offline.voucher,
    owed_minor bigint NOT NULL CONSTRAINT notice_positive CHECK (owed_minor > 0),
    -- Proofs against the person that it covers. Any later one is another double spend, and stops loading.
    proof_count integer NOT NULL CONSTRAINT notice_has_a_proof CHECK (proof_count >= 1),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT one_notice_per_person PRIMARY KEY (person_id)
);
CREATE TRIGGER settled_once BEFORE INSERT ON offline.notice
    FOR EACH ROW EXECUTE FUNCTION offline.settled_once();

-- Whatever the code says: nobody else paid for it, neither a payee nor the operator.
CREATE FUNCTION offline.notice_cost_nobody() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (
            SELECT FROM offline.liability WHERE voucher_id = NEW.voucher_id AND person_id = NEW.person_id
                AND owed_minor = NEW.owed_minor AND from_shares_minor + from_online_minor = owed_minor
        )
        OR EXISTS (
            SELECT FROM offline.liability
            WHERE voucher_id = NEW.voucher_id AND from_shares_minor + from_online_minor < owed_minor
        )
        OR EXISTS (SELECT FROM offline.share WHERE voucher_id = NEW.voucher_id AND top_minor > 0)
        OR EXISTS (SELECT FROM offline.debt WHERE voucher_id = NEW.voucher_id AND person_id = NEW.person_id)
        OR EXISTS (
            SELECT FROM offline.liability WHERE voucher_id <> NEW.voucher_id AND person_id = NEW.person_id
        )
    THEN
        RAISE EXCEPTION 'the double spend of % on voucher % is no notice', NEW.person_id, NEW.voucher_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'notice_cost_nobody';
    END IF;
    RETURN NEW;
END $$;
-- At the end of the close, so that no order of its statements gets around it.
CREATE CONSTRAINT TRIGGER notice_cost_nobody AFTER INSERT ON offline.notice
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION offline.notice_cost_nobody();

GRANT SELECT, INSERT ON offline.notice TO tikiwallet_offline;
