-- Made by `make schema`. The source is sql/migrations/.
CREATE SCHEMA identity;

CREATE TABLE identity.one_time_code (
    purpose text NOT NULL,
    request_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    attempts_max integer NOT NULL,
    sends integer DEFAULT 1 NOT NULL,
    sends_max integer NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT code_attempts_within_max CHECK (((attempts >= 0) AND (attempts <= attempts_max))),
    CONSTRAINT code_is_hashed CHECK ((octet_length(code_hash) = 32)),
    CONSTRAINT code_purpose_known CHECK ((purpose = 'registration'::text)),
    CONSTRAINT code_sends_within_max CHECK (((sends >= 1) AND (sends <= sends_max))),
    CONSTRAINT code_used_while_valid CHECK (((consumed_at IS NULL) OR (consumed_at < expires_at)))
);

CREATE TABLE identity.person (
    person_id uuid NOT NULL,
    username text NOT NULL,
    phone text NOT NULL,
    password_hash text NOT NULL,
    tier text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT password_is_argon2id CHECK (starts_with(password_hash, '$argon2id$'::text)),
    CONSTRAINT person_state_known CHECK ((state = ANY (ARRAY['active'::text, 'frozen'::text]))),
    CONSTRAINT phone_is_e164 CHECK ((phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
    CONSTRAINT tier_known CHECK ((tier = ANY (ARRAY['phone'::text, 'identified'::text, 'till'::text]))),
    CONSTRAINT username_shape CHECK ((username ~ '^[A-Za-z][A-Za-z0-9_]{2,29}$'::text))
);

CREATE TABLE identity.person_change (
    change_id uuid NOT NULL,
    person_id uuid NOT NULL,
    field text NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT change_changes_something CHECK ((after <> before)),
    CONSTRAINT change_has_an_author CHECK ((changed_by <> ''::text)),
    CONSTRAINT changed_field_known CHECK ((field = ANY (ARRAY['tier'::text, 'state'::text])))
);

CREATE TABLE identity.registration (
    registration_id uuid NOT NULL,
    person_id uuid NOT NULL,
    phone text NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT registration_ends_after_it_begins CHECK ((expires_at > created_at)),
    CONSTRAINT registration_password_is_argon2id CHECK (starts_with(password_hash, '$argon2id$'::text)),
    CONSTRAINT registration_phone_is_e164 CHECK ((phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
    CONSTRAINT registration_username_shape CHECK ((username ~ '^[A-Za-z][A-Za-z0-9_]{2,29}$'::text))
);

CREATE TABLE identity.session (
    session_id uuid NOT NULL,
    person_id uuid NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    label text DEFAULT ''::text NOT NULL,
    last_seen_at timestamp with time zone,
    CONSTRAINT session_at_most_six_hours CHECK ((expires_at <= (issued_at + '06:00:00'::interval))),
    CONSTRAINT session_ends_after_it_begins CHECK ((expires_at > issued_at)),
    CONSTRAINT session_label_is_short CHECK ((char_length(label) <= 40)),
    CONSTRAINT session_revoked_after_it_begins CHECK ((revoked_at >= issued_at)),
    CONSTRAINT session_seen_after_it_begins CHECK ((last_seen_at >= issued_at))
);

CREATE TABLE identity.signing_key (
    kid text NOT NULL,
    private_pem text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    CONSTRAINT signing_key_is_private_pem CHECK (starts_with(private_pem, '-----BEGIN PRIVATE KEY-----'::text)),
    CONSTRAINT signing_key_retired_after_it_begins CHECK ((retired_at >= created_at))
);

ALTER TABLE ONLY identity.one_time_code
    ADD CONSTRAINT one_code_per_request PRIMARY KEY (purpose, request_id);

ALTER TABLE ONLY identity.person_change
    ADD CONSTRAINT person_change_once PRIMARY KEY (change_id);

ALTER TABLE ONLY identity.person
    ADD CONSTRAINT person_once PRIMARY KEY (person_id);

ALTER TABLE ONLY identity.person
    ADD CONSTRAINT phone_of_one_person UNIQUE (phone);

ALTER TABLE ONLY identity.registration
    ADD CONSTRAINT registration_makes_one_person UNIQUE (person_id);

ALTER TABLE ONLY identity.registration
    ADD CONSTRAINT registration_once PRIMARY KEY (registration_id);

ALTER TABLE ONLY identity.session
    ADD CONSTRAINT session_once PRIMARY KEY (session_id);

ALTER TABLE ONLY identity.signing_key
    ADD CONSTRAINT signing_key_once PRIMARY KEY (kid);

CREATE UNIQUE INDEX one_signing_key_at_work ON identity.signing_key USING btree ((true)) WHERE (retired_at IS NULL);

CREATE INDEX person_change_of ON identity.person_change USING btree (person_id, changed_at);

CREATE INDEX registration_by_expiry ON identity.registration USING btree (expires_at);

CREATE INDEX registration_by_phone ON identity.registration USING btree (phone, created_at);

CREATE INDEX session_of_person ON identity.session USING btree (person_id, issued_at);

CREATE UNIQUE INDEX username_of_one_person ON identity.person USING btree (lower((username COLLATE "C")));

ALTER TABLE ONLY identity.person_change
    ADD CONSTRAINT change_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.session
    ADD CONSTRAINT session_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

GRANT USAGE ON SCHEMA identity TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(code_hash) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(expires_at) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(attempts) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(sends) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(consumed_at) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(tier) ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(state) ON TABLE identity.person TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.person_change TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.registration TO tikiwallet_identity;

GRANT UPDATE(expires_at) ON TABLE identity.registration TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.session TO tikiwallet_identity;

GRANT UPDATE(revoked_at) ON TABLE identity.session TO tikiwallet_identity;

GRANT UPDATE(last_seen_at) ON TABLE identity.session TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.signing_key TO tikiwallet_identity;

GRANT UPDATE(retired_at) ON TABLE identity.signing_key TO tikiwallet_identity;
