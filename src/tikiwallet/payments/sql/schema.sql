-- Made by `make schema`. The source is sql/migrations/.
CREATE SCHEMA payments;

CREATE FUNCTION payments.request_state_follows_the_rules() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('open', 'accepted'), ('open', 'declined'), ('open', 'cancelled'), ('open', 'expired'),
        ('accepted', 'paid'), ('accepted', 'open')
    ) THEN
        RAISE EXCEPTION 'a request cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'request_state_follows_the_rules';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TABLE payments.request (
    request_id uuid NOT NULL,
    payee_id uuid NOT NULL,
    payer_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    memo text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    leased_until timestamp with time zone,
    payment_key text,
    paid_at timestamp with time zone,
    CONSTRAINT nobody_asks_themselves CHECK ((payee_id <> payer_id)),
    CONSTRAINT only_accepted_is_leased CHECK (((state = 'accepted'::text) OR (leased_until IS NULL))),
    CONSTRAINT paid_has_a_time CHECK (((state = 'paid'::text) = (paid_at IS NOT NULL))),
    CONSTRAINT payment_has_a_key CHECK (((state = ANY (ARRAY['accepted'::text, 'paid'::text])) = (payment_key IS NOT NULL))),
    CONSTRAINT request_amount_positive CHECK (((amount_minor >= 1) AND (amount_minor <= '1000000000000000'::bigint))),
    CONSTRAINT request_currency_is_a_code CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT request_expires_later CHECK ((expires_at > created_at)),
    CONSTRAINT request_memo_fits_a_note CHECK ((char_length(memo) <= 140)),
    CONSTRAINT request_state_known CHECK ((state = ANY (ARRAY['open'::text, 'accepted'::text, 'paid'::text, 'declined'::text, 'cancelled'::text, 'expired'::text])))
);

CREATE TABLE payments.wallet (
    account_id uuid NOT NULL,
    person_id uuid NOT NULL,
    currency text NOT NULL,
    CONSTRAINT wallet_currency_is_a_code CHECK ((currency ~ '^[A-Z]{3}$'::text))
);

ALTER TABLE ONLY payments.wallet
    ADD CONSTRAINT one_wallet_per_person_and_currency UNIQUE (person_id, currency);

ALTER TABLE ONLY payments.request
    ADD CONSTRAINT request_pkey PRIMARY KEY (request_id);

ALTER TABLE ONLY payments.wallet
    ADD CONSTRAINT wallet_pkey PRIMARY KEY (account_id);

CREATE UNIQUE INDEX one_key_pays_one_request ON payments.request USING btree (payer_id, payment_key) WHERE (payment_key IS NOT NULL);

CREATE INDEX open_request_of_payee ON payments.request USING btree (payee_id, payer_id) WHERE (state = 'open'::text);

CREATE INDEX open_request_of_payer ON payments.request USING btree (payer_id) WHERE (state = 'open'::text);

CREATE INDEX request_of_payee ON payments.request USING btree (payee_id, created_at DESC, request_id DESC);

CREATE INDEX request_of_payer ON payments.request USING btree (payer_id, created_at DESC, request_id DESC);

CREATE TRIGGER request_state_follows_the_rules BEFORE UPDATE OF state ON payments.request FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION payments.request_state_follows_the_rules();

GRANT USAGE ON SCHEMA payments TO tikiwallet_payments;

GRANT SELECT,INSERT ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(state) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(changed_at) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(attempt) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(leased_until) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(payment_key) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(paid_at) ON TABLE payments.request TO tikiwallet_payments;

GRANT SELECT,INSERT ON TABLE payments.wallet TO tikiwallet_payments;
