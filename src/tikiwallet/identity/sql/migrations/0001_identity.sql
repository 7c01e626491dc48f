-- People, pending sign-ups, one-time codes, sessions and the keys that sign session tokens.
-- Every rule has a name, so that a refused write says which rule it would have broken.

CREATE TABLE identity.person (
    person_id uuid CONSTRAINT person_once PRIMARY KEY,
    -- ASCII only: no two names that look alike, and lower() means the same under every locale.
    username text NOT NULL CONSTRAINT username_shape CHECK (username ~ '^[A-Za-z][A-Za-z0-9_]{2,29}$'),
    phone text NOT NULL
        CONSTRAINT phone_of_one_person UNIQUE
        CONSTRAINT phone_is_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    password_hash text NOT NULL CONSTRAINT password_is_argon2id CHECK (starts_with(password_hash, '$argon2id$')),
    tier text NOT NULL CONSTRAINT tier_known CHECK (tier IN ('phone', 'identified', 'till')),
    state text NOT NULL DEFAULT 'active' CONSTRAINT person_state_known CHECK (state IN ('active', 'frozen')),
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX username_of_one_person ON identity.person (lower(username COLLATE "C"));

-- What an operator changed about a person: insert-only, by grant.
CREATE TABLE identity.person_change (
    change_id uuid CONSTRAINT person_change_once PRIMARY KEY,
    person_id uuid NOT NULL CONSTRAINT change_of_a_person REFERENCES identity.person,
    field text NOT NULL CONSTRAINT changed_field_known CHECK (field IN ('tier', 'state')),
    before text NOT NULL,
    after text NOT NULL CONSTRAINT change_changes_something CHECK (after <> before),
    changed_by text NOT NULL CONSTRAINT change_has_an_author CHECK (changed_by <> ''),
    changed_at timestamptz NOT NULL
);
CREATE INDEX person_change_of ON identity.person_change (person_id, changed_at);

-- A sign-up whose phone number isn't proven yet. Several may name one phone or username: whoever proves the phone
-- first becomes the person. Kept for a short time, then forgotten.
CREATE TABLE identity.registration (
    registration_id uuid CONSTRAINT registration_once PRIMARY KEY,
    -- Chosen now, so that a verification that is repeated prepares the same wallet.
    person_id uuid NOT NULL CONSTRAINT registration_makes_one_person UNIQUE,
    phone text NOT NULL CONSTRAINT registration_phone_is_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    username text NOT NULL CONSTRAINT registration_username_shape CHECK (username ~ '^[A-Za-z][A-Za-z0-9_]{2,29}$'),
    password_hash text NOT NULL
        CONSTRAINT registration_password_is_argon2id CHECK (starts_with(password_hash, '$argon2id$')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT registration_ends_after_it_begins CHECK (expires_at > created_at)
);
CREATE INDEX registration_by_phone ON identity.registration (phone, created_at);
CREATE INDEX registration_by_expiry ON identity.registration (expires_at);

-- One row per request that needs a code. A fresh code replaces the old one in the same row, so that the tries add up.
CREATE TABLE identity.one_time_code (
    purpose text NOT NULL CONSTRAINT code_purpose_known CHECK (purpose IN ('registration')),
    request_id uuid NOT NULL,
    code_hash bytea NOT NULL CONSTRAINT code_is_hashed CHECK (octet_length(code_hash) = 32),
    expires_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    attempts_max integer NOT NULL,
    sends integer NOT NULL DEFAULT 1,
    sends_max integer NOT NULL,
    consumed_at timestamptz,
    CONSTRAINT one_code_per_request PRIMARY KEY (purpose, request_id),
    CONSTRAINT code_attempts_within_max CHECK (attempts BETWEEN 0 AND attempts_max),
    CONSTRAINT code_sends_within_max CHECK (sends BETWEEN 1 AND sends_max),
    CONSTRAINT code_used_while_valid CHECK (consumed_at IS NULL OR consumed_at < expires_at)
);

CREATE TABLE identity.session (
    session_id uuid CONSTRAINT session_once PRIMARY KEY,
    person_id uuid NOT NULL CONSTRAINT session_of_a_person REFERENCES identity.person,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT session_ends_after_it_begins CHECK (expires_at > issued_at),
    CONSTRAINT session_at_most_six_hours CHECK (expires_at <= issued_at + interval '6 hours'),
    CONSTRAINT session_revoked_after_it_begins CHECK (revoked_at >= issued_at)
);
CREATE INDEX session_of_person ON identity.session (person_id, issued_at);

-- ES256 keys. Nobody but this context's role (and the owner) may read the private half.
CREATE TABLE identity.signing_key (
    kid text CONSTRAINT signing_key_once PRIMARY KEY,
    private_pem text NOT NULL
        CONSTRAINT signing_key_is_private_pem CHECK (starts_with(private_pem, '-----BEGIN PRIVATE KEY-----')),
    created_at timestamptz NOT NULL,
    retired_at timestamptz CONSTRAINT signing_key_retired_after_it_begins CHECK (retired_at >= created_at)
);
CREATE UNIQUE INDEX one_signing_key_at_work ON identity.signing_key ((true)) WHERE retired_at IS NULL;

GRANT SELECT, INSERT, UPDATE (tier, state) ON identity.person TO tikiwallet_identity;
GRANT SELECT, INSERT ON identity.person_change TO tikiwallet_identity;
-- UPDATE of one column only because PostgreSQL asks for it to lock a row.
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at) ON identity.registration TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (code_hash, expires_at, attempts, sends, consumed_at)
    ON identity.one_time_code TO tikiwallet_identity;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON identity.session TO tikiwallet_identity;
GRANT SELECT, INSERT, UPDATE (retired_at) ON identity.signing_key TO tikiwallet_identity;
