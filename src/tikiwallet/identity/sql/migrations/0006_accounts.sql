-- Who did what to whom, from where and when, as a chain that can't be changed unnoticed: platform/audit.py says how.
-- The history of tiers and states that stood in a table of its own moves into it.

-- How many entries there are, and the hash of the last. Whoever adds one holds this row until the end of his
-- transaction, so that entries follow each other in the order of their numbers.
CREATE TABLE identity.audit_head (
    is_only boolean DEFAULT true CONSTRAINT one_audit_head PRIMARY KEY CONSTRAINT audit_head_is_one CHECK (is_only),
    entry_count bigint NOT NULL CONSTRAINT audit_counts_up CHECK (entry_count >= 0),
    head_hash bytea NOT NULL CONSTRAINT audit_head_is_a_hash CHECK (octet_length(head_hash) = 32)
);
INSERT INTO identity.audit_head (entry_count, head_hash) VALUES (0, sha256('tikiwallet audit identity'));

CREATE TABLE identity.audit_entry (
    entry_no bigint CONSTRAINT audit_entry_once PRIMARY KEY,
    at timestamptz NOT NULL,
    act text NOT NULL CONSTRAINT audit_act_is_a_word CHECK (act ~ '^[a-z][a-z_]{2,39}$'),
    actor text NOT NULL CONSTRAINT audit_has_an_actor CHECK (actor ~ '^(person|operator|nobody|system)(:.{1,80})?$'),
    subject uuid,
    address text NOT NULL CONSTRAINT audit_address_is_short CHECK (char_length(address) <= 64),
    session_id uuid,
    label text NOT NULL CONSTRAINT audit_label_is_short CHECK (char_length(label) <= 40),
    detail text NOT NULL CONSTRAINT audit_detail_is_an_object CHECK (jsonb_typeof(detail::jsonb) = 'object'),
    previous_hash bytea NOT NULL,
    entry_hash bytea NOT NULL CONSTRAINT audit_entry_follows_one UNIQUE,
    CONSTRAINT audit_names_no_phone CHECK (actor || ' ' || label || ' ' || detail !~ '\+[1-9][0-9]{6,14}')
);
CREATE INDEX audit_entry_about ON identity.audit_entry (subject, entry_no);

-- Numbers an entry and chains it to the one before. With the owner's rights: the context itself can't touch the head.
CREATE FUNCTION identity.chain_audit_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_fields text[];
    v_text text;
BEGIN
    SELECT entry_count + 1, head_hash INTO STRICT NEW.entry_no, NEW.previous_hash
    FROM identity.audit_head FOR UPDATE;
    v_fields := ARRAY[
        NEW.entry_no::text, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), NEW.act, NEW.actor,
        coalesce(NEW.subject::text, ''), NEW.address, coalesce(NEW.session_id::text, ''), NEW.label, NEW.detail
    ];
    SELECT string_agg(octet_length(convert_to(field, 'UTF8')) || ':' || field, ',' ORDER BY place) INTO v_text
    FROM unnest(v_fields) WITH ORDINALITY AS f (field, place);
    NEW.entry_hash := sha256(NEW.previous_hash || convert_to(v_text, 'UTF8'));
    UPDATE identity.audit_head SET entry_count = NEW.entry_no, head_hash = NEW.entry_hash;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_entry_is_chained BEFORE INSERT ON identity.audit_entry
    FOR EACH ROW EXECUTE FUNCTION identity.chain_audit_entry();

CREATE FUNCTION identity.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_is_append_only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_audit_change();
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON identity.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_audit_change();

INSERT INTO identity.audit_entry (at, act, actor, subject, address, label, detail)
SELECT changed_at, field || '_changed', 'operator:' || left(changed_by, 80), person_id, '', '',
    jsonb_build_object('after', after, 'before', before)::text
FROM identity.person_change ORDER BY changed_at, change_id;
DROP TABLE identity.person_change;

GRANT SELECT ON identity.audit_head TO tikiwallet_identity;
GRANT SELECT, INSERT (at, act, actor, subject, address, session_id, label, detail)
    ON identity.audit_entry TO tikiwallet_identity;

-- How an account stands. Frozen: it receives and reads, and nothing leaves it. Closing: nothing new comes in, and its owner
-- empties it. Closed: for ever. A closed one keeps its row for the books; its phone number may sign up anew.
ALTER TABLE identity.person
    DROP CONSTRAINT person_state_known,
    ADD CONSTRAINT person_state_known CHECK (state IN ('active', 'frozen', 'closing', 'closed')),
    ADD COLUMN frozen_because text NOT NULL DEFAULT ''
        CONSTRAINT freeze_reason_known CHECK (frozen_because IN ('', 'asked', 'unusual', 'law')),
    ADD COLUMN accounts_close_at timestamptz,  -- since when the ledger's accounts are being closed: there is no way back
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN erased_at timestamptz CONSTRAINT only_who_left_is_erased CHECK (erased_at IS NULL OR state = 'closed');
UPDATE identity.person SET frozen_because = 'unusual' WHERE state = 'frozen';
ALTER TABLE identity.person
    ADD CONSTRAINT frozen_for_a_reason CHECK ((state = 'frozen') = (frozen_because <> '')),
    ADD CONSTRAINT closed_since_an_instant CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    DROP CONSTRAINT phone_is_e164,
    ADD CONSTRAINT phone_is_e164
        CHECK (phone ~ '^\+[1-9][0-9]{6,14}$' OR (erased_at IS NOT NULL AND phone = 'erased')),
    DROP CONSTRAINT phone_of_one_person;
CREATE UNIQUE INDEX phone_of_one_person ON identity.person (phone) WHERE state <> 'closed';
CREATE INDEX person_by_phone ON identity.person (phone);
CREATE INDEX person_leaving ON identity.person (person_id) WHERE state = 'closing';
CREATE INDEX person_to_erase ON identity.person (closed_at) WHERE state = 'closed' AND erased_at IS NULL;

CREATE FUNCTION identity.person_state_follows_the_rules() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('active', 'frozen'), ('active', 'closing'), ('frozen', 'active'), ('frozen', 'closing'), ('closing', 'active'),
        ('closing', 'frozen'), ('closing', 'closed')
    ) OR (NEW.state = 'active' AND NEW.accounts_close_at IS NOT NULL)
        OR (NEW.state = 'closed' AND NEW.accounts_close_at IS NULL)
    THEN
        RAISE EXCEPTION 'a person cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'person_state_follows_the_rules';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER person_state_follows_the_rules BEFORE UPDATE OF state ON identity.person
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION identity.person_state_follows_the_rules();

-- Takes the names off a person who has left: what stays is an id without anybody behind it, for the books. With the
-- owner's rights, so that the context's own role can't rename people or end what is said of their sessions.
CREATE FUNCTION identity.erase_person(p_person_id uuid, p_now timestamptz) RETURNS boolean
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
    WITH old AS (
        DELETE FROM identity.registration WHERE person_id = p_person_id OR (phone = v_phone AND expires_at < p_now)
        RETURNING registration_id
    )
    DELETE FROM identity.one_time_code USING old WHERE purpose = 'registration' AND request_id = old.registration_id;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION identity.erase_person(uuid, timestamptz), identity.chain_audit_entry(),
    identity.refuse_audit_change(), identity.person_state_follows_the_rules() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION identity.erase_person(uuid, timestamptz) TO tikiwallet_identity;
GRANT UPDATE (frozen_because, accounts_close_at, closed_at) ON identity.person TO tikiwallet_identity;
