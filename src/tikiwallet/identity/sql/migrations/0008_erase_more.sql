-- Whoever leaves takes along what was made since accounts could be closed: passkeys, codes, devices, notices, and the
-- numbers that a change of phone or a lost password named. The acts stay in the audit log, which names no number.
CREATE OR REPLACE FUNCTION identity.erase_person(p_person_id uuid, p_now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_phone text;
BEGIN
    SELECT phone INTO v_phone FROM identity.person
    WHERE person_id = p_person_id AND state = 'closed' AND erased_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE identity.person SET
        username = 'gone_' || left(replace(gen_random_uuid()::text, '-', ''), 20), phone = 'erased',
        password_hash = '$argon2id$erased', erased_at = p_now
    WHERE person_id = p_person_id;
    UPDATE identity.session SET label = '' WHERE person_id = p_person_id;
    DELETE FROM identity.passkey WHERE person_id = p_person_id;
    DELETE FROM identity.recovery_code WHERE person_id = p_person_id;
    DELETE FROM identity.known_device WHERE person_id = p_person_id;
    DELETE FROM identity.notice WHERE person_id = p_person_id;
    DELETE FROM identity.phone_change WHERE person_id = p_person_id;
    DELETE FROM identity.password_reset WHERE person_id = p_person_id OR (phone = v_phone AND expires_at < p_now);
    WITH old AS (
        DELETE FROM identity.registration WHERE person_id = p_person_id OR (phone = v_phone AND expires_at < p_now)
        RETURNING registration_id
    )
    DELETE FROM identity.one_time_code USING old WHERE purpose = 'registration' AND request_id = old.registration_id;
    RETURN true;
END $$;
