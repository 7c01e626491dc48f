-- Locked vouchers: units that one payee's phone may receive and nobody else. Nobody can compete for them, so that no
-- double spend, no guarantee and no cover ever touches them; a close that says otherwise can't be written down.
-- Rule: protocol/spec/05-close.md, "locked vouchers".

ALTER TABLE offline.device ADD CONSTRAINT one_person_of_each_key UNIQUE (key_id, person_id);

ALTER TABLE offline.voucher
    ADD COLUMN audience_key_id bytea,
    ADD COLUMN audience_person_id uuid,
    ADD CONSTRAINT audience_is_registered FOREIGN KEY (audience_key_id, audience_person_id)
        REFERENCES offline.device (key_id, person_id) MATCH FULL,
    ADD CONSTRAINT audience_is_somebody_else CHECK (audience_person_id <> person_id),
    ADD CONSTRAINT locked_without_cover CHECK (audience_key_id IS NULL OR cover_minor = 0);

CREATE FUNCTION offline.share_of_locked_voucher() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_voucher offline.voucher;
BEGIN
    SELECT * INTO v_voucher FROM offline.voucher WHERE voucher_id = NEW.voucher_id;
    IF v_voucher.audience_key_id IS NOT NULL AND (
        NEW.key_id NOT IN (v_voucher.key_id, v_voucher.audience_key_id) OR NEW.shared_minor > 0 OR NEW.top_minor > 0
    ) THEN
        RAISE EXCEPTION 'voucher % is locked: its owner and its audience have a share, and nothing is divided', NEW.voucher_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'locked_units_are_never_shared';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER share_of_locked_voucher BEFORE INSERT ON offline.share
    FOR EACH ROW EXECUTE FUNCTION offline.share_of_locked_voucher();
