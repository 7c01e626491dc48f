-- Text messages that can't be made to cost a fortune, a new password or phone for who lost the old one, and a limit on
-- what leaves a wallet just afterwards. Columns and tables more, which a server of the release before doesn't know.

-- Tries that several processes count together where there is no Redis: named by keyed hashes, never by whose they are.
CREATE TABLE identity.tried_count (
    name text CONSTRAINT tried_count_once PRIMARY KEY
        CONSTRAINT tried_count_name_is_short CHECK (char_length(name) BETWEEN 1 AND 100),
    count bigint NOT NULL CONSTRAINT tried_count_counts CHECK (count > 0),
    forgotten_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX tried_count_by_end ON identity.tried_count (forgotten_at);

-- What text messages may cost in an hour and in a day, everybody's together.
CREATE TABLE identity.sms_budget (
    period text NOT NULL CONSTRAINT sms_budget_period_known CHECK (period IN ('hour', 'day')),
    begins_at timestamptz NOT NULL,
    sent integer NOT NULL,
    sent_max integer NOT NULL,
    tripped_at timestamptz,
    CONSTRAINT one_sms_budget_per_period PRIMARY KEY (period, begins_at),
    CONSTRAINT sms_budget_is_kept CHECK (sent BETWEEN 1 AND sent_max),
    CONSTRAINT sms_budget_tripped_in_its_period CHECK (tripped_at >= begins_at)
);

-- What became of a text message: neither its text nor whom it went to.
CREATE TABLE identity.text_message (
    message_id uuid CONSTRAINT text_message_once PRIMARY KEY,
    provider_id text
        CONSTRAINT text_message_of_one_provider_id UNIQUE
        CONSTRAINT text_message_provider_id_shape CHECK (provider_id ~ '^[A-Z]{2}[0-9a-f]{32}$'),
    state text NOT NULL CONSTRAINT text_message_state_known
        CHECK (state IN ('unknown', 'accepted', 'sending', 'sent', 'delivered', 'undelivered', 'failed')),
    error_code integer,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
        CONSTRAINT text_message_changes_after_it_begins CHECK (changed_at >= created_at)
);
CREATE INDEX text_message_by_age ON identity.text_message (created_at);

-- Reports come twice and in any order.
CREATE FUNCTION identity.text_message_progress(state text) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN CASE state WHEN 'unknown' THEN 0 WHEN 'accepted' THEN 1 WHEN 'sending' THEN 2 WHEN 'sent' THEN 3 ELSE 4 END;
CREATE FUNCTION identity.text_message_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF identity.text_message_progress(new.state) < identity.text_message_progress(old.state)
        OR (identity.text_message_progress(old.state) = 4 AND new.state <> old.state) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            CONSTRAINT = 'text_message_never_goes_back',
            MESSAGE = format('text message %s: %s after %s', old.message_id, new.state, old.state);
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER text_message_goes_forward BEFORE UPDATE ON identity.text_message
FOR EACH ROW EXECUTE FUNCTION identity.text_message_goes_forward();

ALTER TABLE identity.one_time_code DROP CONSTRAINT code_purpose_known;
ALTER TABLE identity.one_time_code ADD CONSTRAINT code_purpose_known
    CHECK (purpose IN ('registration', 'sign_in', 'step_up', 'password_reset', 'old_phone', 'new_phone'));

-- Who asks for a new password without the old one. Nobody's phone has a row too: both are the same work.
CREATE TABLE identity.password_reset (
    reset_id uuid CONSTRAINT password_reset_once PRIMARY KEY,
    person_id uuid CONSTRAINT password_reset_of_a_person REFERENCES identity.person,
    phone text NOT NULL CONSTRAINT password_reset_phone_is_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    proven_at timestamptz,
    effective_at timestamptz,
    password_hash text CONSTRAINT reset_password_is_argon2id CHECK (starts_with(password_hash, '$argon2id$')),
    ended_at timestamptz,
    outcome text CONSTRAINT password_reset_outcome_known CHECK (outcome IN ('applied', 'cancelled', 'replaced')),
    CONSTRAINT password_reset_ends_after_it_begins CHECK (expires_at > created_at),
    CONSTRAINT password_reset_proven_by_a_person CHECK (proven_at IS NULL OR person_id IS NOT NULL),
    CONSTRAINT password_reset_has_its_time_when_proven CHECK ((proven_at IS NULL) = (effective_at IS NULL)),
    CONSTRAINT password_reset_waits CHECK (effective_at >= proven_at),
    CONSTRAINT password_reset_keeps_its_hash_while_it_waits
        CHECK ((password_hash IS NOT NULL) = (proven_at IS NOT NULL AND ended_at IS NULL)),
    CONSTRAINT password_reset_ends_with_an_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT password_reset_ends_when_proven CHECK (ended_at >= proven_at),
    CONSTRAINT password_reset_applies_in_its_time CHECK (outcome <> 'applied' OR ended_at >= effective_at)
);
CREATE UNIQUE INDEX one_password_reset_waits ON identity.password_reset (person_id)
    WHERE proven_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX password_reset_by_expiry ON identity.password_reset (expires_at);

-- A person moves to another phone number: proven on both phones, or on the new one and then a waiting time.
CREATE TABLE identity.phone_change (
    change_id uuid CONSTRAINT phone_change_once PRIMARY KEY,
    person_id uuid NOT NULL CONSTRAINT phone_change_of_a_person REFERENCES identity.person,
    new_phone text NOT NULL CONSTRAINT new_phone_is_e164 CHECK (new_phone ~ '^\+[1-9][0-9]{6,14}$'),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    new_proven_at timestamptz,
    old_proven_at timestamptz,
    effective_at timestamptz,
    ended_at timestamptz,
    outcome text CONSTRAINT phone_change_outcome_known CHECK (outcome IN ('applied', 'cancelled', 'replaced')),
    CONSTRAINT phone_change_ends_after_it_begins CHECK (expires_at > created_at),
    CONSTRAINT phone_change_has_its_time_when_proven CHECK ((new_proven_at IS NULL) = (effective_at IS NULL)),
    CONSTRAINT phone_change_waits_without_the_old_phone
        CHECK (effective_at > new_proven_at OR (effective_at >= new_proven_at AND old_proven_at IS NOT NULL)),
    CONSTRAINT phone_change_ends_with_an_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL)),
    CONSTRAINT phone_change_ends_when_proven CHECK (ended_at >= new_proven_at),
    CONSTRAINT phone_change_applies_in_its_time
        CHECK (outcome <> 'applied' OR (effective_at IS NOT NULL AND ended_at >= effective_at))
);
CREATE UNIQUE INDEX one_phone_change_waits ON identity.phone_change (person_id)
    WHERE new_proven_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX phone_change_to ON identity.phone_change (new_phone) WHERE new_proven_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX phone_change_by_expiry ON identity.phone_change (expires_at);

-- Whoever took a phone number over has little of it: until then only so much leaves the wallet.
ALTER TABLE identity.person ADD COLUMN outgoing_capped_until timestamptz;

CREATE TABLE identity.capped_outgoing (
    person_id uuid NOT NULL CONSTRAINT capped_outgoing_of_a_person REFERENCES identity.person,
    currency text NOT NULL,
    begins_at timestamptz NOT NULL,
    out_minor bigint NOT NULL,
    out_max_minor bigint NOT NULL,
    CONSTRAINT one_capped_outgoing PRIMARY KEY (person_id, currency),
    CONSTRAINT capped_outgoing_is_kept CHECK (out_minor BETWEEN 0 AND out_max_minor)
);

-- Which orders stand in that sum, by the id that makes each of them happen once.
CREATE TABLE identity.capped_order (
    order_id uuid CONSTRAINT capped_order_once PRIMARY KEY,
    person_id uuid NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL CONSTRAINT capped_order_takes_something CHECK (amount_minor > 0),
    attempts integer NOT NULL CONSTRAINT capped_order_is_attempted CHECK (attempts > 0),
    CONSTRAINT capped_order_stands_in_a_sum FOREIGN KEY (person_id, currency) REFERENCES identity.capped_outgoing
);
CREATE INDEX capped_order_of ON identity.capped_order (person_id, currency);

GRANT SELECT, INSERT, UPDATE, DELETE ON identity.tried_count TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (sent, sent_max, tripped_at) ON identity.sms_budget TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (provider_id, state, error_code, changed_at)
    ON identity.text_message TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (proven_at, effective_at, password_hash, ended_at, outcome)
    ON identity.password_reset TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (new_proven_at, old_proven_at, effective_at, ended_at, outcome)
    ON identity.phone_change TO tikiwallet_identity;
GRANT UPDATE (password_hash, phone, outgoing_capped_until) ON identity.person TO tikiwallet_identity;
GRANT SELECT, INSERT, UPDATE (begins_at, out_minor, out_max_minor) ON identity.capped_outgoing TO tikiwallet_identity;
GRANT SELECT, INSERT, DELETE, UPDATE (attempts) ON identity.capped_order TO tikiwallet_identity;
