-- Made by `make schema`. The source is sql/migrations/.
CREATE SCHEMA identity;

CREATE FUNCTION identity.a_disabled_operator_stays_disabled() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.disabled_at IS NOT NULL THEN
        RAISE EXCEPTION 'operator % is disabled', OLD.name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'a_disabled_operator_stays_disabled';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION identity.an_ended_operator_session_stays_ended() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR NEW.last_seen_at >= OLD.last_seen_at + interval '30 minutes' THEN
        RAISE EXCEPTION 'an operator''s session that has ended stays ended'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'an_ended_operator_session_stays_ended';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION identity.an_ended_session_stays_ended() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.revoked_at := coalesce(OLD.revoked_at, NEW.revoked_at);
    IF NEW.last_seen_at >= coalesce(OLD.last_seen_at, OLD.issued_at) + interval '1 hour' THEN
        NEW.last_seen_at := OLD.last_seen_at;
    END IF;
    RETURN NEW;
END;
$$;

CREATE FUNCTION identity.chain_audit_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION identity.erase_person(p_person_id uuid, p_now timestamp with time zone) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
END $_$;

CREATE FUNCTION identity.only_for_an_enabled_operator() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM FROM identity.operator WHERE operator_id = NEW.operator_id AND disabled_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'operator % is disabled', NEW.operator_id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION identity.person_state_follows_the_rules() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION identity.refuse_audit_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_is_append_only';
END $$;

CREATE FUNCTION identity.session_deleted_after_its_end() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.expires_at > now() THEN
        RAISE EXCEPTION 'a session that may still live is not deleted'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'session_deleted_after_its_end';
    END IF;
    RETURN OLD;
END;
$$;

CREATE FUNCTION identity.text_message_goes_forward() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION identity.text_message_progress(state text) RETURNS integer
    LANGUAGE sql IMMUTABLE
    RETURN CASE state WHEN 'unknown'::text THEN 0 WHEN 'accepted'::text THEN 1 WHEN 'sending'::text THEN 2 WHEN 'sent'::text THEN 3 ELSE 4 END;

CREATE TABLE identity.audit_entry (
    entry_no bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    act text NOT NULL,
    actor text NOT NULL,
    subject uuid,
    address text NOT NULL,
    session_id uuid,
    label text NOT NULL,
    detail text NOT NULL,
    previous_hash bytea NOT NULL,
    entry_hash bytea NOT NULL,
    CONSTRAINT audit_act_is_a_word CHECK ((act ~ '^[a-z][a-z_]{2,39}$'::text)),
    CONSTRAINT audit_address_is_short CHECK ((char_length(address) <= 64)),
    CONSTRAINT audit_detail_is_an_object CHECK ((jsonb_typeof((detail)::jsonb) = 'object'::text)),
    CONSTRAINT audit_has_an_actor CHECK ((actor ~ '^(person|operator|nobody|system)(:.{1,80})?$'::text)),
    CONSTRAINT audit_label_is_short CHECK ((char_length(label) <= 40)),
    CONSTRAINT audit_names_no_phone CHECK ((((((actor || ' '::text) || label) || ' '::text) || detail) !~ '\+[1-9][0-9]{6,14}'::text))
);

CREATE TABLE identity.audit_head (
    is_only boolean DEFAULT true NOT NULL,
    entry_count bigint NOT NULL,
    head_hash bytea NOT NULL,
    CONSTRAINT audit_counts_up CHECK ((entry_count >= 0)),
    CONSTRAINT audit_head_is_a_hash CHECK ((octet_length(head_hash) = 32)),
    CONSTRAINT audit_head_is_one CHECK (is_only)
);

CREATE TABLE identity.capped_order (
    order_id uuid NOT NULL,
    person_id uuid NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    attempts integer NOT NULL,
    CONSTRAINT capped_order_is_attempted CHECK ((attempts > 0)),
    CONSTRAINT capped_order_takes_something CHECK ((amount_minor > 0))
);

CREATE TABLE identity.capped_outgoing (
    person_id uuid NOT NULL,
    currency text NOT NULL,
    begins_at timestamp with time zone NOT NULL,
    out_minor bigint NOT NULL,
    out_max_minor bigint NOT NULL,
    CONSTRAINT capped_outgoing_is_kept CHECK (((out_minor >= 0) AND (out_minor <= out_max_minor)))
);

CREATE TABLE identity.known_device (
    person_id uuid NOT NULL,
    device_hash bytea NOT NULL,
    label text NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT device_is_hashed CHECK ((octet_length(device_hash) = 32)),
    CONSTRAINT device_label_is_short CHECK ((char_length(label) <= 40)),
    CONSTRAINT device_seen_after_it_was_new CHECK ((last_seen_at >= first_seen_at))
);

CREATE TABLE identity.notice (
    notice_id uuid NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL,
    session_id uuid NOT NULL,
    label text NOT NULL,
    noticed_at timestamp with time zone NOT NULL,
    dismissed_at timestamp with time zone,
    CONSTRAINT notice_dismissed_after_it_was_made CHECK ((dismissed_at >= noticed_at)),
    CONSTRAINT notice_kind_is_a_word CHECK ((kind ~ '^[a-z][a-z_]{1,39}$'::text)),
    CONSTRAINT notice_label_is_short CHECK ((char_length(label) <= 40))
);

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
    CONSTRAINT code_purpose_known CHECK ((purpose = ANY (ARRAY['registration'::text, 'sign_in'::text, 'step_up'::text, 'password_reset'::text, 'old_phone'::text, 'new_phone'::text]))),
    CONSTRAINT code_sends_within_max CHECK (((sends >= 1) AND (sends <= sends_max))),
    CONSTRAINT code_used_while_valid CHECK (((consumed_at IS NULL) OR (consumed_at < expires_at)))
);

CREATE TABLE identity.operator (
    operator_id uuid NOT NULL,
    name text NOT NULL,
    roles text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT operator_disabled_after_it_was_made CHECK ((disabled_at >= created_at)),
    CONSTRAINT operator_name_is_a_word CHECK ((name ~ '^[a-z][a-z0-9._-]{1,39}$'::text)),
    CONSTRAINT operator_roles_known CHECK (((cardinality(roles) > 0) AND (roles <@ ARRAY['support'::text, 'risk'::text, 'finance'::text, 'admin'::text])))
);

CREATE TABLE identity.operator_challenge (
    challenge bytea NOT NULL,
    operator_id uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT operator_challenge_length CHECK ((octet_length(challenge) = 32)),
    CONSTRAINT operator_challenge_lives_five_minutes CHECK (((expires_at > created_at) AND (expires_at <= (created_at + '00:05:00'::interval))))
);

CREATE TABLE identity.operator_enrolment (
    operator_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT enrolment_lives_fifteen_minutes CHECK (((expires_at > made_at) AND (expires_at <= (made_at + '00:15:00'::interval)))),
    CONSTRAINT enrolment_token_is_hashed CHECK ((octet_length(token_hash) = 32))
);

CREATE TABLE identity.operator_passkey (
    operator_id uuid NOT NULL,
    credential_id bytea NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    CONSTRAINT operator_credential_length CHECK (((octet_length(credential_id) >= 16) AND (octet_length(credential_id) <= 1023))),
    CONSTRAINT operator_passkey_used_after_it_was_made CHECK ((last_used_at >= created_at)),
    CONSTRAINT operator_sign_count_is_32_bits CHECK (((sign_count >= 0) AND (sign_count <= '4294967295'::bigint)))
);

CREATE TABLE identity.operator_session (
    session_id uuid NOT NULL,
    operator_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    label text NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT operator_label_is_short CHECK ((char_length(label) <= 40)),
    CONSTRAINT operator_session_ends_after_it_begins CHECK ((ended_at >= issued_at)),
    CONSTRAINT operator_session_lives_six_hours CHECK (((expires_at > issued_at) AND (expires_at <= (issued_at + '06:00:00'::interval)))),
    CONSTRAINT operator_session_seen_after_it_begins CHECK ((last_seen_at >= issued_at)),
    CONSTRAINT operator_token_is_hashed CHECK ((octet_length(token_hash) = 32))
);

CREATE TABLE identity.passkey (
    passkey_id uuid NOT NULL,
    person_id uuid NOT NULL,
    passkey_no smallint NOT NULL,
    credential_id bytea NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    last_used_at timestamp with time zone,
    CONSTRAINT credential_id_length CHECK (((octet_length(credential_id) >= 16) AND (octet_length(credential_id) <= 1023))),
    CONSTRAINT passkey_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 40))),
    CONSTRAINT passkey_used_after_it_was_made CHECK ((last_used_at >= created_at)),
    CONSTRAINT passkeys_within_max CHECK (((passkey_no >= 1) AND (passkey_no <= 10))),
    CONSTRAINT sign_count_is_32_bits CHECK (((sign_count >= 0) AND (sign_count <= '4294967295'::bigint)))
);

CREATE TABLE identity.passkey_challenge (
    challenge bytea NOT NULL,
    purpose text NOT NULL,
    session_id uuid,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT challenge_bound_to_its_session CHECK (((purpose = 'sign_in'::text) = (session_id IS NULL))),
    CONSTRAINT challenge_length CHECK ((octet_length(challenge) = 32)),
    CONSTRAINT challenge_lives_five_minutes CHECK (((expires_at > created_at) AND (expires_at <= (created_at + '00:05:00'::interval)))),
    CONSTRAINT challenge_purpose_known CHECK ((purpose = ANY (ARRAY['sign_in'::text, 'register'::text, 'step_up'::text])))
);

CREATE TABLE identity.password_reset (
    reset_id uuid NOT NULL,
    person_id uuid,
    phone text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    proven_at timestamp with time zone,
    effective_at timestamp with time zone,
    password_hash text,
    ended_at timestamp with time zone,
    outcome text,
    CONSTRAINT password_reset_applies_in_its_time CHECK (((outcome <> 'applied'::text) OR (ended_at >= effective_at))),
    CONSTRAINT password_reset_ends_after_it_begins CHECK ((expires_at > created_at)),
    CONSTRAINT password_reset_ends_when_proven CHECK ((ended_at >= proven_at)),
    CONSTRAINT password_reset_ends_with_an_outcome CHECK (((ended_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT password_reset_has_its_time_when_proven CHECK (((proven_at IS NULL) = (effective_at IS NULL))),
    CONSTRAINT password_reset_keeps_its_hash_while_it_waits CHECK (((password_hash IS NOT NULL) = ((proven_at IS NOT NULL) AND (ended_at IS NULL)))),
    CONSTRAINT password_reset_outcome_known CHECK ((outcome = ANY (ARRAY['applied'::text, 'cancelled'::text, 'replaced'::text]))),
    CONSTRAINT password_reset_phone_is_e164 CHECK ((phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
    CONSTRAINT password_reset_proven_by_a_person CHECK (((proven_at IS NULL) OR (person_id IS NOT NULL))),
    CONSTRAINT password_reset_waits CHECK ((effective_at >= proven_at)),
    CONSTRAINT reset_password_is_argon2id CHECK (starts_with(password_hash, '$argon2id$'::text))
);

CREATE TABLE identity.person (
    person_id uuid NOT NULL,
    username text NOT NULL,
    phone text NOT NULL,
    password_hash text NOT NULL,
    tier text NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    outgoing_capped_until timestamp with time zone,
    frozen_because text DEFAULT ''::text NOT NULL,
    accounts_close_at timestamp with time zone,
    closed_at timestamp with time zone,
    erased_at timestamp with time zone,
    CONSTRAINT closed_since_an_instant CHECK (((state = 'closed'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT freeze_reason_known CHECK ((frozen_because = ANY (ARRAY[''::text, 'asked'::text, 'unusual'::text, 'law'::text]))),
    CONSTRAINT frozen_for_a_reason CHECK (((state = 'frozen'::text) = (frozen_because <> ''::text))),
    CONSTRAINT only_who_left_is_erased CHECK (((erased_at IS NULL) OR (state = 'closed'::text))),
    CONSTRAINT password_is_argon2id CHECK (starts_with(password_hash, '$argon2id$'::text)),
    CONSTRAINT person_state_known CHECK ((state = ANY (ARRAY['active'::text, 'frozen'::text, 'closing'::text, 'closed'::text]))),
    CONSTRAINT phone_is_e164 CHECK (((phone ~ '^\+[1-9][0-9]{6,14}$'::text) OR ((erased_at IS NOT NULL) AND (phone = 'erased'::text)))),
    CONSTRAINT tier_known CHECK ((tier = ANY (ARRAY['phone'::text, 'identified'::text, 'till'::text]))),
    CONSTRAINT username_shape CHECK ((username ~ '^[A-Za-z][A-Za-z0-9_]{2,29}$'::text))
);

CREATE TABLE identity.phone_change (
    change_id uuid NOT NULL,
    person_id uuid NOT NULL,
    new_phone text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    new_proven_at timestamp with time zone,
    old_proven_at timestamp with time zone,
    effective_at timestamp with time zone,
    ended_at timestamp with time zone,
    outcome text,
    CONSTRAINT new_phone_is_e164 CHECK ((new_phone ~ '^\+[1-9][0-9]{6,14}$'::text)),
    CONSTRAINT phone_change_applies_in_its_time CHECK (((outcome <> 'applied'::text) OR ((effective_at IS NOT NULL) AND (ended_at >= effective_at)))),
    CONSTRAINT phone_change_ends_after_it_begins CHECK ((expires_at > created_at)),
    CONSTRAINT phone_change_ends_when_proven CHECK ((ended_at >= new_proven_at)),
    CONSTRAINT phone_change_ends_with_an_outcome CHECK (((ended_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT phone_change_has_its_time_when_proven CHECK (((new_proven_at IS NULL) = (effective_at IS NULL))),
    CONSTRAINT phone_change_outcome_known CHECK ((outcome = ANY (ARRAY['applied'::text, 'cancelled'::text, 'replaced'::text]))),
    CONSTRAINT phone_change_waits_without_the_old_phone CHECK (((effective_at > new_proven_at) OR ((effective_at >= new_proven_at) AND (old_proven_at IS NOT NULL))))
);

CREATE TABLE identity.recovery_code (
    person_id uuid NOT NULL,
    code_no smallint NOT NULL,
    code_hash bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT recovery_code_is_hashed CHECK ((octet_length(code_hash) = 32)),
    CONSTRAINT recovery_code_used_after_it_was_made CHECK ((used_at >= made_at)),
    CONSTRAINT ten_recovery_codes CHECK (((code_no >= 1) AND (code_no <= 10)))
);

CREATE TABLE identity.refresh_token (
    token_hash bytea NOT NULL,
    session_id uuid NOT NULL,
    follows_hash bytea,
    issued_at timestamp with time zone NOT NULL,
    CONSTRAINT refresh_token_is_hashed CHECK ((octet_length(token_hash) = 32))
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
    proved_at timestamp with time zone,
    proved_by text,
    CONSTRAINT proof_is_whole CHECK (((proved_at IS NULL) = (proved_by IS NULL))),
    CONSTRAINT proof_known CHECK ((proved_by = ANY (ARRAY['password'::text, 'passkey'::text, 'recovery_code'::text, 'text_message'::text]))),
    CONSTRAINT session_at_most_six_hours CHECK ((expires_at <= (issued_at + '06:00:00'::interval))),
    CONSTRAINT session_ends_after_it_begins CHECK ((expires_at > issued_at)),
    CONSTRAINT session_label_is_short CHECK ((char_length(label) <= 40)),
    CONSTRAINT session_proved_after_it_begins CHECK ((proved_at >= issued_at)),
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

CREATE TABLE identity.sms_budget (
    period text NOT NULL,
    begins_at timestamp with time zone NOT NULL,
    sent integer NOT NULL,
    sent_max integer NOT NULL,
    tripped_at timestamp with time zone,
    CONSTRAINT sms_budget_is_kept CHECK (((sent >= 1) AND (sent <= sent_max))),
    CONSTRAINT sms_budget_period_known CHECK ((period = ANY (ARRAY['hour'::text, 'day'::text]))),
    CONSTRAINT sms_budget_tripped_in_its_period CHECK ((tripped_at >= begins_at))
);

CREATE TABLE identity.text_message (
    message_id uuid NOT NULL,
    provider_id text,
    state text NOT NULL,
    error_code integer,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT text_message_changes_after_it_begins CHECK ((changed_at >= created_at)),
    CONSTRAINT text_message_provider_id_shape CHECK ((provider_id ~ '^[A-Z]{2}[0-9a-f]{32}$'::text)),
    CONSTRAINT text_message_state_known CHECK ((state = ANY (ARRAY['unknown'::text, 'accepted'::text, 'sending'::text, 'sent'::text, 'delivered'::text, 'undelivered'::text, 'failed'::text])))
);

CREATE TABLE identity.tried_count (
    name text NOT NULL,
    count bigint NOT NULL,
    forgotten_at timestamp with time zone NOT NULL,
    CONSTRAINT tried_count_counts CHECK ((count > 0)),
    CONSTRAINT tried_count_name_is_short CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100)))
)
WITH (fillfactor='50');

ALTER TABLE ONLY identity.audit_entry
    ADD CONSTRAINT audit_entry_follows_one UNIQUE (entry_hash);

ALTER TABLE ONLY identity.audit_entry
    ADD CONSTRAINT audit_entry_once PRIMARY KEY (entry_no);

ALTER TABLE ONLY identity.capped_order
    ADD CONSTRAINT capped_order_once PRIMARY KEY (order_id);

ALTER TABLE ONLY identity.passkey_challenge
    ADD CONSTRAINT challenge_once PRIMARY KEY (challenge);

ALTER TABLE ONLY identity.operator_passkey
    ADD CONSTRAINT credential_of_one_operator UNIQUE (credential_id);

ALTER TABLE ONLY identity.passkey
    ADD CONSTRAINT credential_of_one_passkey UNIQUE (credential_id);

ALTER TABLE ONLY identity.known_device
    ADD CONSTRAINT device_once PRIMARY KEY (person_id, device_hash);

ALTER TABLE ONLY identity.operator_enrolment
    ADD CONSTRAINT enrolment_token_once UNIQUE (token_hash);

ALTER TABLE ONLY identity.notice
    ADD CONSTRAINT notice_once PRIMARY KEY (notice_id);

ALTER TABLE ONLY identity.audit_head
    ADD CONSTRAINT one_audit_head PRIMARY KEY (is_only);

ALTER TABLE ONLY identity.capped_outgoing
    ADD CONSTRAINT one_capped_outgoing PRIMARY KEY (person_id, currency);

ALTER TABLE ONLY identity.one_time_code
    ADD CONSTRAINT one_code_per_request PRIMARY KEY (purpose, request_id);

ALTER TABLE ONLY identity.operator_enrolment
    ADD CONSTRAINT one_enrolment_of_an_operator PRIMARY KEY (operator_id);

ALTER TABLE ONLY identity.operator_passkey
    ADD CONSTRAINT one_passkey_of_an_operator PRIMARY KEY (operator_id);

ALTER TABLE ONLY identity.sms_budget
    ADD CONSTRAINT one_sms_budget_per_period PRIMARY KEY (period, begins_at);

ALTER TABLE ONLY identity.operator_challenge
    ADD CONSTRAINT operator_challenge_once PRIMARY KEY (challenge);

ALTER TABLE ONLY identity.operator
    ADD CONSTRAINT operator_name_once UNIQUE (name);

ALTER TABLE ONLY identity.operator
    ADD CONSTRAINT operator_once PRIMARY KEY (operator_id);

ALTER TABLE ONLY identity.operator_session
    ADD CONSTRAINT operator_session_once PRIMARY KEY (session_id);

ALTER TABLE ONLY identity.operator_session
    ADD CONSTRAINT operator_token_once UNIQUE (token_hash);

ALTER TABLE ONLY identity.passkey
    ADD CONSTRAINT passkey_number_of_a_person UNIQUE (person_id, passkey_no);

ALTER TABLE ONLY identity.passkey
    ADD CONSTRAINT passkey_once PRIMARY KEY (passkey_id);

ALTER TABLE ONLY identity.password_reset
    ADD CONSTRAINT password_reset_once PRIMARY KEY (reset_id);

ALTER TABLE ONLY identity.person
    ADD CONSTRAINT person_once PRIMARY KEY (person_id);

ALTER TABLE ONLY identity.phone_change
    ADD CONSTRAINT phone_change_once PRIMARY KEY (change_id);

ALTER TABLE ONLY identity.recovery_code
    ADD CONSTRAINT recovery_code_number PRIMARY KEY (person_id, code_no);

ALTER TABLE ONLY identity.recovery_code
    ADD CONSTRAINT recovery_codes_differ UNIQUE (person_id, code_hash);

ALTER TABLE ONLY identity.refresh_token
    ADD CONSTRAINT refresh_token_in_one_session UNIQUE (session_id, token_hash);

ALTER TABLE ONLY identity.refresh_token
    ADD CONSTRAINT refresh_token_once PRIMARY KEY (token_hash);

ALTER TABLE ONLY identity.refresh_token
    ADD CONSTRAINT refresh_token_replaced_once UNIQUE (follows_hash);

ALTER TABLE ONLY identity.registration
    ADD CONSTRAINT registration_makes_one_person UNIQUE (person_id);

ALTER TABLE ONLY identity.registration
    ADD CONSTRAINT registration_once PRIMARY KEY (registration_id);

ALTER TABLE ONLY identity.session
    ADD CONSTRAINT session_once PRIMARY KEY (session_id);

ALTER TABLE ONLY identity.signing_key
    ADD CONSTRAINT signing_key_once PRIMARY KEY (kid);

ALTER TABLE ONLY identity.text_message
    ADD CONSTRAINT text_message_of_one_provider_id UNIQUE (provider_id);

ALTER TABLE ONLY identity.text_message
    ADD CONSTRAINT text_message_once PRIMARY KEY (message_id);

ALTER TABLE ONLY identity.tried_count
    ADD CONSTRAINT tried_count_once PRIMARY KEY (name);

CREATE INDEX audit_entry_about ON identity.audit_entry USING btree (subject, entry_no);

CREATE INDEX capped_order_of ON identity.capped_order USING btree (person_id, currency);

CREATE INDEX known_device_by_last_seen ON identity.known_device USING btree (last_seen_at);

CREATE INDEX notice_by_age ON identity.notice USING btree (noticed_at);

CREATE INDEX notice_of_person ON identity.notice USING btree (person_id, noticed_at);

CREATE UNIQUE INDEX one_first_refresh_token ON identity.refresh_token USING btree (session_id) WHERE (follows_hash IS NULL);

CREATE UNIQUE INDEX one_password_reset_waits ON identity.password_reset USING btree (person_id) WHERE ((proven_at IS NOT NULL) AND (ended_at IS NULL));

CREATE UNIQUE INDEX one_phone_change_waits ON identity.phone_change USING btree (person_id) WHERE ((new_proven_at IS NOT NULL) AND (ended_at IS NULL));

CREATE UNIQUE INDEX one_signing_key_at_work ON identity.signing_key USING btree ((true)) WHERE (retired_at IS NULL);

CREATE INDEX one_time_code_by_expiry ON identity.one_time_code USING btree (expires_at) WHERE (purpose <> 'registration'::text);

CREATE INDEX operator_challenge_by_expiry ON identity.operator_challenge USING btree (expires_at);

CREATE INDEX operator_session_of_operator ON identity.operator_session USING btree (operator_id) WHERE (ended_at IS NULL);

CREATE INDEX passkey_challenge_by_expiry ON identity.passkey_challenge USING btree (expires_at);

CREATE INDEX password_reset_by_expiry ON identity.password_reset USING btree (expires_at);

CREATE INDEX person_by_phone ON identity.person USING btree (phone);

CREATE INDEX person_leaving ON identity.person USING btree (person_id) WHERE (state = 'closing'::text);

CREATE INDEX person_to_erase ON identity.person USING btree (closed_at) WHERE ((state = 'closed'::text) AND (erased_at IS NULL));

CREATE INDEX phone_change_by_expiry ON identity.phone_change USING btree (expires_at);

CREATE INDEX phone_change_to ON identity.phone_change USING btree (new_phone) WHERE ((new_proven_at IS NOT NULL) AND (ended_at IS NULL));

CREATE UNIQUE INDEX phone_of_one_person ON identity.person USING btree (phone) WHERE (state <> 'closed'::text);

CREATE INDEX registration_by_expiry ON identity.registration USING btree (expires_at);

CREATE INDEX registration_by_phone ON identity.registration USING btree (phone, created_at);

CREATE INDEX session_by_expiry ON identity.session USING btree (expires_at);

CREATE INDEX session_of_person ON identity.session USING btree (person_id, issued_at);

CREATE INDEX text_message_by_age ON identity.text_message USING btree (created_at);

CREATE INDEX tried_count_by_end ON identity.tried_count USING btree (forgotten_at);

CREATE UNIQUE INDEX username_of_one_person ON identity.person USING btree (lower((username COLLATE "C")));

CREATE TRIGGER a_disabled_operator_stays_disabled BEFORE UPDATE ON identity.operator FOR EACH ROW EXECUTE FUNCTION identity.a_disabled_operator_stays_disabled();

CREATE TRIGGER an_ended_operator_session_stays_ended BEFORE UPDATE OF last_seen_at, ended_at ON identity.operator_session FOR EACH ROW EXECUTE FUNCTION identity.an_ended_operator_session_stays_ended();

CREATE TRIGGER an_ended_session_stays_ended BEFORE UPDATE OF revoked_at, last_seen_at ON identity.session FOR EACH ROW EXECUTE FUNCTION identity.an_ended_session_stays_ended();

CREATE TRIGGER audit_entry_is_chained BEFORE INSERT ON identity.audit_entry FOR EACH ROW EXECUTE FUNCTION identity.chain_audit_entry();

CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON identity.audit_head FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_audit_change();

CREATE TRIGGER audit_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON identity.audit_entry FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_audit_change();

CREATE TRIGGER enrolment_only_of_the_enabled BEFORE INSERT ON identity.operator_enrolment FOR EACH ROW EXECUTE FUNCTION identity.only_for_an_enabled_operator();

CREATE TRIGGER passkey_only_of_the_enabled BEFORE INSERT ON identity.operator_passkey FOR EACH ROW EXECUTE FUNCTION identity.only_for_an_enabled_operator();

CREATE TRIGGER person_state_follows_the_rules BEFORE UPDATE OF state ON identity.person FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION identity.person_state_follows_the_rules();

CREATE TRIGGER session_deleted_after_its_end BEFORE DELETE ON identity.session FOR EACH ROW EXECUTE FUNCTION identity.session_deleted_after_its_end();

CREATE TRIGGER session_only_of_the_enabled BEFORE INSERT ON identity.operator_session FOR EACH ROW EXECUTE FUNCTION identity.only_for_an_enabled_operator();

CREATE TRIGGER text_message_goes_forward BEFORE UPDATE ON identity.text_message FOR EACH ROW EXECUTE FUNCTION identity.text_message_goes_forward();

ALTER TABLE ONLY identity.capped_order
    ADD CONSTRAINT capped_order_stands_in_a_sum FOREIGN KEY (person_id, currency) REFERENCES identity.capped_outgoing(person_id, currency);

ALTER TABLE ONLY identity.capped_outgoing
    ADD CONSTRAINT capped_outgoing_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.passkey_challenge
    ADD CONSTRAINT challenge_of_a_session FOREIGN KEY (session_id) REFERENCES identity.session(session_id) ON DELETE CASCADE;

ALTER TABLE ONLY identity.operator_challenge
    ADD CONSTRAINT challenge_of_an_operator FOREIGN KEY (operator_id) REFERENCES identity.operator(operator_id);

ALTER TABLE ONLY identity.known_device
    ADD CONSTRAINT device_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.operator_enrolment
    ADD CONSTRAINT enrolment_of_an_operator FOREIGN KEY (operator_id) REFERENCES identity.operator(operator_id);

ALTER TABLE ONLY identity.notice
    ADD CONSTRAINT notice_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.passkey
    ADD CONSTRAINT passkey_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.operator_passkey
    ADD CONSTRAINT passkey_of_an_operator FOREIGN KEY (operator_id) REFERENCES identity.operator(operator_id);

ALTER TABLE ONLY identity.password_reset
    ADD CONSTRAINT password_reset_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.phone_change
    ADD CONSTRAINT phone_change_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.recovery_code
    ADD CONSTRAINT recovery_code_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.refresh_token
    ADD CONSTRAINT refresh_token_follows_one_of_its_session FOREIGN KEY (session_id, follows_hash) REFERENCES identity.refresh_token(session_id, token_hash);

ALTER TABLE ONLY identity.refresh_token
    ADD CONSTRAINT refresh_token_of_a_session FOREIGN KEY (session_id) REFERENCES identity.session(session_id) ON DELETE CASCADE;

ALTER TABLE ONLY identity.session
    ADD CONSTRAINT session_of_a_person FOREIGN KEY (person_id) REFERENCES identity.person(person_id);

ALTER TABLE ONLY identity.operator_session
    ADD CONSTRAINT session_of_an_operator FOREIGN KEY (operator_id) REFERENCES identity.operator(operator_id);

GRANT USAGE ON SCHEMA identity TO tikiwallet_identity;

REVOKE ALL ON FUNCTION identity.chain_audit_entry() FROM PUBLIC;

REVOKE ALL ON FUNCTION identity.erase_person(p_person_id uuid, p_now timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION identity.erase_person(p_person_id uuid, p_now timestamp with time zone) TO tikiwallet_identity;

REVOKE ALL ON FUNCTION identity.person_state_follows_the_rules() FROM PUBLIC;

REVOKE ALL ON FUNCTION identity.refuse_audit_change() FROM PUBLIC;

GRANT SELECT ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT INSERT(at) ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT INSERT(act) ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT INSERT(actor) ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT INSERT(subject) ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT INSERT(address) ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT INSERT(session_id) ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT INSERT(label) ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT INSERT(detail) ON TABLE identity.audit_entry TO tikiwallet_identity;

GRANT SELECT ON TABLE identity.audit_head TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.capped_order TO tikiwallet_identity;

GRANT UPDATE(attempts) ON TABLE identity.capped_order TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.capped_outgoing TO tikiwallet_identity;

GRANT UPDATE(begins_at) ON TABLE identity.capped_outgoing TO tikiwallet_identity;

GRANT UPDATE(out_minor) ON TABLE identity.capped_outgoing TO tikiwallet_identity;

GRANT UPDATE(out_max_minor) ON TABLE identity.capped_outgoing TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.known_device TO tikiwallet_identity;

GRANT UPDATE(label) ON TABLE identity.known_device TO tikiwallet_identity;

GRANT UPDATE(last_seen_at) ON TABLE identity.known_device TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.notice TO tikiwallet_identity;

GRANT UPDATE(dismissed_at) ON TABLE identity.notice TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(code_hash) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(expires_at) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(attempts) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(sends) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT UPDATE(consumed_at) ON TABLE identity.one_time_code TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.operator TO tikiwallet_identity;

GRANT UPDATE(roles) ON TABLE identity.operator TO tikiwallet_identity;

GRANT UPDATE(disabled_at) ON TABLE identity.operator TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.operator_challenge TO tikiwallet_identity;

GRANT UPDATE(operator_id) ON TABLE identity.operator_challenge TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.operator_enrolment TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.operator_passkey TO tikiwallet_identity;

GRANT UPDATE(sign_count) ON TABLE identity.operator_passkey TO tikiwallet_identity;

GRANT UPDATE(last_used_at) ON TABLE identity.operator_passkey TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.operator_session TO tikiwallet_identity;

GRANT UPDATE(last_seen_at) ON TABLE identity.operator_session TO tikiwallet_identity;

GRANT UPDATE(ended_at) ON TABLE identity.operator_session TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.passkey TO tikiwallet_identity;

GRANT UPDATE(sign_count) ON TABLE identity.passkey TO tikiwallet_identity;

GRANT UPDATE(name) ON TABLE identity.passkey TO tikiwallet_identity;

GRANT UPDATE(last_used_at) ON TABLE identity.passkey TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.passkey_challenge TO tikiwallet_identity;

GRANT UPDATE(purpose) ON TABLE identity.passkey_challenge TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.password_reset TO tikiwallet_identity;

GRANT UPDATE(proven_at) ON TABLE identity.password_reset TO tikiwallet_identity;

GRANT UPDATE(effective_at) ON TABLE identity.password_reset TO tikiwallet_identity;

GRANT UPDATE(password_hash) ON TABLE identity.password_reset TO tikiwallet_identity;

GRANT UPDATE(ended_at) ON TABLE identity.password_reset TO tikiwallet_identity;

GRANT UPDATE(outcome) ON TABLE identity.password_reset TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(phone) ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(password_hash) ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(tier) ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(state) ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(outgoing_capped_until) ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(frozen_because) ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(accounts_close_at) ON TABLE identity.person TO tikiwallet_identity;

GRANT UPDATE(closed_at) ON TABLE identity.person TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.phone_change TO tikiwallet_identity;

GRANT UPDATE(new_proven_at) ON TABLE identity.phone_change TO tikiwallet_identity;

GRANT UPDATE(old_proven_at) ON TABLE identity.phone_change TO tikiwallet_identity;

GRANT UPDATE(effective_at) ON TABLE identity.phone_change TO tikiwallet_identity;

GRANT UPDATE(ended_at) ON TABLE identity.phone_change TO tikiwallet_identity;

GRANT UPDATE(outcome) ON TABLE identity.phone_change TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.recovery_code TO tikiwallet_identity;

GRANT UPDATE(used_at) ON TABLE identity.recovery_code TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.refresh_token TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.registration TO tikiwallet_identity;

GRANT UPDATE(expires_at) ON TABLE identity.registration TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.session TO tikiwallet_identity;

GRANT UPDATE(revoked_at) ON TABLE identity.session TO tikiwallet_identity;

GRANT UPDATE(last_seen_at) ON TABLE identity.session TO tikiwallet_identity;

GRANT UPDATE(proved_at) ON TABLE identity.session TO tikiwallet_identity;

GRANT UPDATE(proved_by) ON TABLE identity.session TO tikiwallet_identity;

GRANT SELECT,INSERT ON TABLE identity.signing_key TO tikiwallet_identity;

GRANT UPDATE(retired_at) ON TABLE identity.signing_key TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.sms_budget TO tikiwallet_identity;

GRANT UPDATE(sent) ON TABLE identity.sms_budget TO tikiwallet_identity;

GRANT UPDATE(sent_max) ON TABLE identity.sms_budget TO tikiwallet_identity;

GRANT UPDATE(tripped_at) ON TABLE identity.sms_budget TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE ON TABLE identity.text_message TO tikiwallet_identity;

GRANT UPDATE(provider_id) ON TABLE identity.text_message TO tikiwallet_identity;

GRANT UPDATE(state) ON TABLE identity.text_message TO tikiwallet_identity;

GRANT UPDATE(error_code) ON TABLE identity.text_message TO tikiwallet_identity;

GRANT UPDATE(changed_at) ON TABLE identity.text_message TO tikiwallet_identity;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE identity.tried_count TO tikiwallet_identity;
