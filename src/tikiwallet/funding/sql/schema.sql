-- Made by `make schema`. The source is sql/migrations/.
CREATE SCHEMA funding;

CREATE FUNCTION funding.dispute_state_follows_the_rules() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF OLD.state <> 'open' OR NEW.frozen_minor <> OLD.frozen_minor THEN
        RAISE EXCEPTION 'a dispute cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispute_state_follows_the_rules';
    END IF;
    RETURN NEW;
END;
$$;

CREATE FUNCTION funding.operation_state_follows_the_rules() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (NEW.kind, OLD.state, NEW.state) NOT IN (
        ('top_up', 'requested', 'pending'), ('top_up', 'requested', 'confirmed'), ('top_up', 'requested', 'declined'),
        ('top_up', 'pending', 'confirmed'), ('top_up', 'pending', 'declined'),
        ('top_up', 'confirmed', 'settled'), ('top_up', 'confirmed', 'returning'),
        ('top_up', 'returning', 'returned'),
        ('withdrawal', 'requested', 'reserved'), ('withdrawal', 'requested', 'refused'),
        ('withdrawal', 'refused', 'requested'),
        ('withdrawal', 'reserved', 'pending'), ('withdrawal', 'reserved', 'confirmed'),
        ('withdrawal', 'reserved', 'returning'),
        ('withdrawal', 'pending', 'confirmed'), ('withdrawal', 'pending', 'returning'),
        ('withdrawal', 'confirmed', 'settled'), ('withdrawal', 'returning', 'declined')
    ) THEN
        RAISE EXCEPTION 'a % cannot go from % to %', NEW.kind, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'operation_state_follows_the_rules';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TABLE funding.customer (
    person_id uuid NOT NULL,
    customer_id text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE funding.dispute (
    dispute_id text NOT NULL,
    operation_id uuid NOT NULL,
    person_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    frozen_minor bigint DEFAULT 0 NOT NULL,
    repaid_minor bigint DEFAULT 0 NOT NULL,
    due_by timestamp with time zone,
    opened_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    leased_until timestamp with time zone,
    CONSTRAINT dispute_amount_positive CHECK (((amount_minor >= 1) AND (amount_minor <= '1000000000000000'::bigint))),
    CONSTRAINT dispute_currency_is_a_code CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT dispute_id_length CHECK (((length(dispute_id) >= 1) AND (length(dispute_id) <= 255))),
    CONSTRAINT dispute_state_known CHECK ((state = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text]))),
    CONSTRAINT no_more_is_taken_than_disputed CHECK (((frozen_minor >= 0) AND (repaid_minor >= 0) AND ((frozen_minor + repaid_minor) <= amount_minor))),
    CONSTRAINT only_what_is_lost_is_repaid CHECK (((state = 'lost'::text) OR (repaid_minor = 0)))
);

CREATE TABLE funding.dispute_taking (
    dispute_id text NOT NULL,
    number integer NOT NULL,
    transfer_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    CONSTRAINT dispute_taking_counts_from_one CHECK ((number >= 1)),
    CONSTRAINT dispute_taking_positive CHECK ((amount_minor > 0))
);

CREATE TABLE funding.operation (
    operation_id uuid NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    bank text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    state text DEFAULT 'requested'::text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    attempt integer DEFAULT 1 NOT NULL,
    leased_until timestamp with time zone,
    through text DEFAULT 'page'::text NOT NULL,
    method_id text DEFAULT ''::text NOT NULL,
    fee_minor bigint DEFAULT 0 NOT NULL,
    origin bytea,
    is_cancelled boolean DEFAULT false NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    go_to_url text DEFAULT ''::text NOT NULL,
    expires_at timestamp with time zone,
    expected_by timestamp with time zone,
    CONSTRAINT a_reason_is_of_a_no CHECK (((reason = ''::text) OR (state = ANY (ARRAY['returning'::text, 'declined'::text])))),
    CONSTRAINT a_saved_method_is_named CHECK (((through = 'saved'::text) = (method_id <> ''::text))),
    CONSTRAINT fee_leaves_something CHECK (((fee_minor >= 0) AND (fee_minor < amount_minor))),
    CONSTRAINT only_a_top_up_is_returned CHECK (((kind = 'top_up'::text) OR (state <> 'returned'::text))),
    CONSTRAINT only_a_withdrawal_has_a_fee CHECK (((kind = 'withdrawal'::text) OR (fee_minor = 0))),
    CONSTRAINT operation_amount_positive CHECK (((amount_minor >= 1) AND (amount_minor <= '1000000000000000'::bigint))),
    CONSTRAINT operation_currency_is_a_code CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT operation_kind_known CHECK ((kind = ANY (ARRAY['top_up'::text, 'withdrawal'::text]))),
    CONSTRAINT operation_reason_known CHECK ((reason = ANY (ARRAY[''::text, 'expired'::text, 'cancelled'::text]))),
    CONSTRAINT operation_state_known CHECK ((state = ANY (ARRAY['requested'::text, 'refused'::text, 'reserved'::text, 'pending'::text, 'confirmed'::text, 'returning'::text, 'settled'::text, 'declined'::text, 'returned'::text]))),
    CONSTRAINT operation_through_known CHECK ((through = ANY (ARRAY['page'::text, 'native'::text, 'saved'::text]))),
    CONSTRAINT top_up_reserves_nothing CHECK (((kind = 'withdrawal'::text) OR (state <> ALL (ARRAY['reserved'::text, 'refused'::text]))))
);

CREATE TABLE funding.payout_account (
    person_id uuid NOT NULL,
    account_id text NOT NULL,
    state text DEFAULT 'wanted'::text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT payout_account_state_known CHECK ((state = ANY (ARRAY['wanted'::text, 'checked'::text, 'ready'::text, 'closed'::text])))
);

CREATE TABLE funding.provider_event (
    event_id text NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    made_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    processed_at timestamp with time zone,
    CONSTRAINT provider_event_id_length CHECK (((length(event_id) >= 1) AND (length(event_id) <= 255))),
    CONSTRAINT provider_event_kind_length CHECK (((length(kind) >= 1) AND (length(kind) <= 255)))
);

CREATE TABLE funding.provider_object (
    operation_id uuid NOT NULL,
    step text NOT NULL,
    object_id text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT provider_object_id_length CHECK (((length(object_id) >= 1) AND (length(object_id) <= 255))),
    CONSTRAINT provider_object_step_known CHECK ((step = ANY (ARRAY['session'::text, 'payment'::text, 'refund'::text, 'transfer'::text, 'payout'::text, 'reversal'::text])))
);

ALTER TABLE ONLY funding.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (person_id);

ALTER TABLE ONLY funding.dispute
    ADD CONSTRAINT dispute_pkey PRIMARY KEY (dispute_id);

ALTER TABLE ONLY funding.dispute_taking
    ADD CONSTRAINT dispute_taking_pkey PRIMARY KEY (dispute_id, number);

ALTER TABLE ONLY funding.provider_object
    ADD CONSTRAINT one_object_for_each_step PRIMARY KEY (operation_id, step);

ALTER TABLE ONLY funding.provider_object
    ADD CONSTRAINT one_operation_for_each_object UNIQUE (object_id);

ALTER TABLE ONLY funding.payout_account
    ADD CONSTRAINT one_person_for_each_account UNIQUE (account_id);

ALTER TABLE ONLY funding.customer
    ADD CONSTRAINT one_person_for_each_customer UNIQUE (customer_id);

ALTER TABLE ONLY funding.dispute_taking
    ADD CONSTRAINT one_taking_for_each_transfer UNIQUE (transfer_id);

ALTER TABLE ONLY funding.operation
    ADD CONSTRAINT operation_pkey PRIMARY KEY (operation_id);

ALTER TABLE ONLY funding.payout_account
    ADD CONSTRAINT payout_account_pkey PRIMARY KEY (person_id);

ALTER TABLE ONLY funding.provider_event
    ADD CONSTRAINT provider_event_pkey PRIMARY KEY (event_id);

CREATE INDEX dispute_of_person ON funding.dispute USING btree (person_id, opened_at DESC);

CREATE INDEX operation_of_origin ON funding.operation USING btree (origin, created_at DESC) WHERE (origin IS NOT NULL);

CREATE INDEX operation_of_person ON funding.operation USING btree (person_id, created_at DESC);

CREATE INDEX provider_event_made_at ON funding.provider_event USING btree (made_at DESC);

CREATE TRIGGER dispute_state_follows_the_rules BEFORE UPDATE OF state ON funding.dispute FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION funding.dispute_state_follows_the_rules();

CREATE TRIGGER operation_state_follows_the_rules BEFORE UPDATE OF state ON funding.operation FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION funding.operation_state_follows_the_rules();

ALTER TABLE ONLY funding.dispute
    ADD CONSTRAINT dispute_of_operation FOREIGN KEY (operation_id) REFERENCES funding.operation(operation_id);

ALTER TABLE ONLY funding.dispute_taking
    ADD CONSTRAINT dispute_taking_of_dispute FOREIGN KEY (dispute_id) REFERENCES funding.dispute(dispute_id);

ALTER TABLE ONLY funding.provider_object
    ADD CONSTRAINT provider_object_of_operation FOREIGN KEY (operation_id) REFERENCES funding.operation(operation_id);

GRANT USAGE ON SCHEMA funding TO tikiwallet_funding;

GRANT SELECT,INSERT ON TABLE funding.customer TO tikiwallet_funding;

GRANT SELECT,INSERT ON TABLE funding.dispute TO tikiwallet_funding;

GRANT UPDATE(state) ON TABLE funding.dispute TO tikiwallet_funding;

GRANT UPDATE(frozen_minor) ON TABLE funding.dispute TO tikiwallet_funding;

GRANT UPDATE(repaid_minor) ON TABLE funding.dispute TO tikiwallet_funding;

GRANT UPDATE(due_by) ON TABLE funding.dispute TO tikiwallet_funding;

GRANT UPDATE(changed_at) ON TABLE funding.dispute TO tikiwallet_funding;

GRANT UPDATE(leased_until) ON TABLE funding.dispute TO tikiwallet_funding;

GRANT SELECT,INSERT ON TABLE funding.dispute_taking TO tikiwallet_funding;

GRANT SELECT,INSERT ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(state) ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(changed_at) ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(attempt) ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(leased_until) ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(is_cancelled) ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(reason) ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(go_to_url) ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(expires_at) ON TABLE funding.operation TO tikiwallet_funding;

GRANT UPDATE(expected_by) ON TABLE funding.operation TO tikiwallet_funding;

GRANT SELECT,INSERT ON TABLE funding.payout_account TO tikiwallet_funding;

GRANT UPDATE(state) ON TABLE funding.payout_account TO tikiwallet_funding;

GRANT UPDATE(changed_at) ON TABLE funding.payout_account TO tikiwallet_funding;

GRANT SELECT,INSERT ON TABLE funding.provider_event TO tikiwallet_funding;

GRANT UPDATE(processed_at) ON TABLE funding.provider_event TO tikiwallet_funding;

GRANT SELECT,INSERT ON TABLE funding.provider_object TO tikiwallet_funding;
