-- Operators: people who look after the wallet. They have no wallet, no phone number and no password here; who they are
-- is shown by a passkey alone. New tables only: a server of the release before neither reads nor writes them.

CREATE TABLE identity.operator (
    operator_id uuid CONSTRAINT operator_once PRIMARY KEY,
    -- Stands in the audit log for ever, so that a name is never given to somebody else.
    name text NOT NULL
        CONSTRAINT operator_name_once UNIQUE
        CONSTRAINT operator_name_is_a_word CHECK (name ~ '^[a-z][a-z0-9._-]{1,39}$'),
    roles text[] NOT NULL CONSTRAINT operator_roles_known
        CHECK (cardinality(roles) > 0 AND roles <@ ARRAY['support', 'risk', 'finance', 'admin']),
    created_at timestamptz NOT NULL,
    disabled_at timestamptz CONSTRAINT operator_disabled_after_it_was_made CHECK (disabled_at >= created_at)
);

-- A link by which an operator registers a passkey: one at a time, deleted when it is used.
CREATE TABLE identity.operator_enrolment (
    operator_id uuid CONSTRAINT one_enrolment_of_an_operator PRIMARY KEY
        CONSTRAINT enrolment_of_an_operator REFERENCES identity.operator,
    token_hash bytea NOT NULL
        CONSTRAINT enrolment_token_once UNIQUE
        CONSTRAINT enrolment_token_is_hashed CHECK (octet_length(token_hash) = 32),
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT enrolment_lives_fifteen_minutes
        CHECK (expires_at > made_at AND expires_at <= made_at + interval '15 minutes')
);

-- The public half of the operator's key. One: whoever loses it gets a new link, and the lost one opens nothing.
CREATE TABLE identity.operator_passkey (
    operator_id uuid CONSTRAINT one_passkey_of_an_operator PRIMARY KEY
        CONSTRAINT passkey_of_an_operator REFERENCES identity.operator,
    credential_id bytea NOT NULL
        CONSTRAINT credential_of_one_operator UNIQUE
        CONSTRAINT operator_credential_length CHECK (octet_length(credential_id) BETWEEN 16 AND 1023),
    public_key bytea NOT NULL,
    -- Never backwards, as for people's passkeys.
    sign_count bigint NOT NULL CONSTRAINT operator_sign_count_is_32_bits CHECK (sign_count BETWEEN 0 AND 4294967295),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz CONSTRAINT operator_passkey_used_after_it_was_made CHECK (last_used_at >= created_at)
);

-- What an operator's authenticator is asked to sign: apart from people's, so that neither counts for the other.
CREATE TABLE identity.operator_challenge (
    challenge bytea CONSTRAINT operator_challenge_once PRIMARY KEY
        CONSTRAINT operator_challenge_length CHECK (octet_length(challenge) = 32),
    -- Whose passkey is to be registered; null to sign in.
    operator_id uuid CONSTRAINT challenge_of_an_operator REFERENCES identity.operator,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT operator_challenge_lives_five_minutes
        CHECK (expires_at > created_at AND expires_at <= created_at + interval '5 minutes')
);
CREATE INDEX operator_challenge_by_expiry ON identity.operator_challenge (expires_at);

CREATE TABLE identity.operator_session (
    session_id uuid CONSTRAINT operator_session_once PRIMARY KEY,
    operator_id uuid NOT NULL CONSTRAINT session_of_an_operator REFERENCES identity.operator,
    token_hash bytea NOT NULL
        CONSTRAINT operator_token_once UNIQUE
        CONSTRAINT operator_token_is_hashed CHECK (octet_length(token_hash) = 32),
    label text NOT NULL CONSTRAINT operator_label_is_short CHECK (char_length(label) <= 40),
    issued_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz CONSTRAINT operator_session_ends_after_it_begins CHECK (ended_at >= issued_at),
    CONSTRAINT operator_session_lives_six_hours
        CHECK (expires_at > issued_at AND expires_at <= issued_at + interval '6 hours'),
    CONSTRAINT operator_session_seen_after_it_begins CHECK (last_seen_at >= issued_at)
);
CREATE INDEX operator_session_of_operator ON identity.operator_session (operator_id) WHERE ended_at IS NULL;

-- What has ended never lives again, and a session that was idle for half an hour has ended.
CREATE FUNCTION identity.an_ended_operator_session_stays_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR NEW.last_seen_at >= OLD.last_seen_at + interval '30 minutes' THEN
        RAISE EXCEPTION 'an operator''s session that has ended stays ended'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'an_ended_operator_session_stays_ended';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER an_ended_operator_session_stays_ended
    BEFORE UPDATE OF last_seen_at, ended_at ON identity.operator_session
    FOR EACH ROW EXECUTE FUNCTION identity.an_ended_operator_session_stays_ended();

-- Disabled is for ever, and leaves nothing that could be used. Who is not enabled gets no session, key or link.
CREATE FUNCTION identity.a_disabled_operator_stays_disabled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.disabled_at IS NOT NULL THEN
        RAISE EXCEPTION 'operator % is disabled', OLD.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'a_disabled_operator_stays_disabled';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_disabled_operator_stays_disabled BEFORE UPDATE ON identity.operator
    FOR EACH ROW EXECUTE FUNCTION identity.a_disabled_operator_stays_disabled();

-- Takes the row of the operator, so that what disables an operator waits, and then finds and ends what was made.
CREATE FUNCTION identity.only_for_an_enabled_operator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM identity.operator WHERE operator_id = NEW.operator_id AND disabled_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'operator % is disabled', NEW.operator_id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER enrolment_only_of_the_enabled BEFORE INSERT ON identity.operator_enrolment
    FOR EACH ROW EXECUTE FUNCTION identity.only_for_an_enabled_operator();
CREATE TRIGGER passkey_only_of_the_enabled BEFORE INSERT ON identity.operator_passkey
    FOR EACH ROW EXECUTE FUNCTION identity.only_for_an_enabled_operator();
CREATE TRIGGER session_only_of_the_enabled BEFORE INSERT ON identity.operator_session
    FOR EACH ROW EXECUTE FUNCTION identity.only_for_an_enabled_operator();

GRANT SELECT, INSERT, UPDATE (roles, disabled_at) ON identity.operator TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE ON identity.operator_enrolment TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (sign_count, last_used_at) ON identity.operator_passkey TO tikiwallet_identity;
-- UPDATE of one column only because PostgreSQL asks for it to lock a row.
GRANT SELECT, INSERT, DELETE, UPDATE (operator_id) ON identity.operator_challenge TO tikiwallet_identity;
GRANT SELECT, INSERT, UPDATE (last_seen_at, ended_at) ON identity.operator_session TO tikiwallet_identity;
