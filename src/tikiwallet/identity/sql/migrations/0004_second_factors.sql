-- Second factors: what a session has proven lately, passkeys, recovery codes, and codes for signing in and for proving.
-- A server of the release before writes none of it: its sessions have proven nothing until their people are asked.

ALTER TABLE identity.session
    ADD COLUMN proved_at timestamptz
        CONSTRAINT session_proved_after_it_begins CHECK (proved_at >= issued_at),
    ADD COLUMN proved_by text
        CONSTRAINT proof_known CHECK (proved_by IN ('password', 'passkey', 'recovery_code', 'text_message')),
    ADD CONSTRAINT proof_is_whole CHECK ((proved_at IS NULL) = (proved_by IS NULL));

GRANT UPDATE (proved_at, proved_by) ON identity.session TO tikiwallet_identity;

-- The public half of a key that a phone or a security key holds for this wallet.
CREATE TABLE identity.passkey (
    passkey_id uuid CONSTRAINT passkey_once PRIMARY KEY,
    person_id uuid NOT NULL CONSTRAINT passkey_of_a_person REFERENCES identity.person,
    -- A person has so many at most, whoever adds them at the same time.
    passkey_no smallint NOT NULL CONSTRAINT passkeys_within_max CHECK (passkey_no BETWEEN 1 AND 10),
    credential_id bytea NOT NULL
        CONSTRAINT credential_of_one_passkey UNIQUE
        CONSTRAINT credential_id_length CHECK (octet_length(credential_id) BETWEEN 16 AND 1023),
    public_key bytea NOT NULL,
    -- Never backwards: a count that was seen before comes from a copy. Synced passkeys always say 0.
    sign_count bigint NOT NULL CONSTRAINT sign_count_is_32_bits CHECK (sign_count BETWEEN 0 AND 4294967295),
    name text NOT NULL CONSTRAINT passkey_name_length CHECK (char_length(name) BETWEEN 1 AND 40),
    created_at timestamptz NOT NULL,
    last_used_at timestamptz CONSTRAINT passkey_used_after_it_was_made CHECK (last_used_at >= created_at),
    CONSTRAINT passkey_number_of_a_person UNIQUE (person_id, passkey_no)
);

-- What an authenticator is asked to sign: deleted when it is answered, so that no answer counts twice.
CREATE TABLE identity.passkey_challenge (
    challenge bytea CONSTRAINT challenge_once PRIMARY KEY CONSTRAINT challenge_length CHECK (octet_length(challenge) = 32),
    purpose text NOT NULL CONSTRAINT challenge_purpose_known CHECK (purpose IN ('sign_in', 'register', 'step_up')),
    session_id uuid CONSTRAINT challenge_of_a_session REFERENCES identity.session ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT challenge_lives_five_minutes
        CHECK (expires_at > created_at AND expires_at <= created_at + interval '5 minutes'),
    CONSTRAINT challenge_bound_to_its_session CHECK ((purpose = 'sign_in') = (session_id IS NULL))
);
CREATE INDEX passkey_challenge_by_expiry ON identity.passkey_challenge (expires_at);

-- Ten codes on paper. New ones take the place of the old ones; a used one stays used.
CREATE TABLE identity.recovery_code (
    person_id uuid NOT NULL CONSTRAINT recovery_code_of_a_person REFERENCES identity.person,
    code_no smallint NOT NULL CONSTRAINT ten_recovery_codes CHECK (code_no BETWEEN 1 AND 10),
    code_hash bytea NOT NULL CONSTRAINT recovery_code_is_hashed CHECK (octet_length(code_hash) = 32),
    made_at timestamptz NOT NULL,
    used_at timestamptz CONSTRAINT recovery_code_used_after_it_was_made CHECK (used_at >= made_at),
    CONSTRAINT recovery_code_number PRIMARY KEY (person_id, code_no),
    CONSTRAINT recovery_codes_differ UNIQUE (person_id, code_hash)
);

ALTER TABLE identity.one_time_code
    DROP CONSTRAINT code_purpose_known,
    ADD CONSTRAINT code_purpose_known CHECK (purpose IN ('registration', 'sign_in', 'step_up'));
CREATE INDEX one_time_code_by_expiry ON identity.one_time_code (expires_at) WHERE purpose <> 'registration';

GRANT SELECT, INSERT, DELETE, UPDATE (sign_count, name, last_used_at) ON identity.passkey TO tikiwallet_identity;
-- UPDATE of one column only because PostgreSQL asks for it to lock a row.
GRANT SELECT, INSERT, DELETE, UPDATE (purpose) ON identity.passkey_challenge TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (used_at) ON identity.recovery_code TO tikiwallet_identity;
