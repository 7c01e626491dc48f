-- Made by `make schema`. The source is sql/migrations/.
CREATE SCHEMA funding;

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

CREATE TABLE funding.provider_object (
    operation_id uuid NOT NULL,
    step text NOT NULL,
    object_id text NOT NULL,
    made_at timestamp with time zone NOT NULL,
    CONSTRAINT provider_object_id_length CHECK (((length(object_id) >= 1) AND (length(object_id) <= 255))),
    CONSTRAINT provider_object_step_known CHECK ((step = ANY (ARRAY['session'::text, 'payment'::text, 'refund'::text, 'transfer'::text, 'payout'::text, 'reversal'::text])))
);

ALTER TABLE ONLY funding.provider_object
    ADD CONSTRAINT one_object_for_each_step PRIMARY KEY (operation_id, step);

ALTER TABLE ONLY funding.provider_object
    ADD CONSTRAINT one_operation_for_each_object UNIQUE (object_id);

ALTER TABLE ONLY funding.operation
    ADD CONSTRAINT operation_pkey PRIMARY KEY (operation_id);

CREATE INDEX operation_of_origin ON funding.operation USING btree (origin, created_at DESC) WHERE (origin IS NOT NULL);

CREATE INDEX operation_of_person ON funding.operation USING btree (person_id, created_at DESC);

CREATE TRIGGER operation_state_follows_the_rules BEFORE UPDATE OF state ON funding.operation FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION funding.operation_state_follows_the_rules();

ALTER TABLE ONLY funding.provider_object
    ADD CONSTRAINT provider_object_of_operation FOREIGN KEY (operation_id) REFERENCES funding.operation(operation_id);

GRANT USAGE ON SCHEMA funding TO tikiwallet_funding;

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

GRANT SELECT,INSERT ON TABLE funding.provider_object TO tikiwallet_funding;
