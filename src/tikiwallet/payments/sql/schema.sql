-- Made by `make schema`. The source is sql/migrations/.
CREATE SCHEMA payments;

CREATE FUNCTION payments.a_cancelled_code_is_never_paid() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM FROM payments.shown_request WHERE reference = NEW.reference AND cancelled_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this code was taken back'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'a_cancelled_code_is_never_paid';
    END IF;
    RETURN NEW;
END;
$$;

CREATE FUNCTION payments.a_paid_code_is_never_cancelled() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM FROM payments.request WHERE reference = NEW.reference AND state IN ('accepted', 'paid');
    IF FOUND THEN
        RAISE EXCEPTION 'this code was paid'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'a_paid_code_is_never_cancelled';
    END IF;
    RETURN NEW;
END;
$$;

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
    reference text,
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

CREATE TABLE payments.shown_request (
    reference text NOT NULL,
    payee_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    shown_at timestamp with time zone NOT NULL,
    payable_until timestamp with time zone NOT NULL,
    cancelled_at timestamp with time zone,
    payee_told_at timestamp with time zone,
    CONSTRAINT reference_is_24_bytes CHECK ((reference ~ '^[A-Za-z0-9_-]{32}$'::text)),
    CONSTRAINT shown_amount_positive CHECK (((amount_minor >= 1) AND (amount_minor <= '1000000000000000'::bigint))),
    CONSTRAINT shown_currency_is_a_code CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT shown_for_a_while CHECK ((payable_until > shown_at))
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

ALTER TABLE ONLY payments.shown_request
    ADD CONSTRAINT shown_request_pkey PRIMARY KEY (reference);

ALTER TABLE ONLY payments.wallet
    ADD CONSTRAINT wallet_pkey PRIMARY KEY (account_id);

CREATE INDEX attempt_of_shown_request ON payments.request USING btree (reference) WHERE (reference IS NOT NULL);

CREATE UNIQUE INDEX one_key_pays_one_request ON payments.request USING btree (payer_id, payment_key) WHERE (payment_key IS NOT NULL);

CREATE UNIQUE INDEX one_payment_per_shown_request ON payments.request USING btree (reference) WHERE (state = ANY (ARRAY['accepted'::text, 'paid'::text]));

CREATE INDEX open_request_of_payee ON payments.request USING btree (payee_id, payer_id) WHERE (state = 'open'::text);

CREATE INDEX open_request_of_payer ON payments.request USING btree (payer_id) WHERE (state = 'open'::text);

CREATE INDEX request_of_payee ON payments.request USING btree (payee_id, created_at DESC, request_id DESC);

CREATE INDEX request_of_payer ON payments.request USING btree (payer_id, created_at DESC, request_id DESC);

CREATE INDEX shown_request_of_payee ON payments.shown_request USING btree (payee_id, payable_until);

CREATE TRIGGER a_cancelled_code_is_never_paid BEFORE UPDATE OF state ON payments.request FOR EACH ROW WHEN (((new.state = 'accepted'::text) AND (new.reference IS NOT NULL))) EXECUTE FUNCTION payments.a_cancelled_code_is_never_paid();

CREATE TRIGGER a_paid_code_is_never_cancelled BEFORE UPDATE OF cancelled_at ON payments.shown_request FOR EACH ROW WHEN ((new.cancelled_at IS NOT NULL)) EXECUTE FUNCTION payments.a_paid_code_is_never_cancelled();

CREATE TRIGGER request_state_follows_the_rules BEFORE UPDATE OF state ON payments.request FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION payments.request_state_follows_the_rules();

ALTER TABLE ONLY payments.request
    ADD CONSTRAINT attempt_is_of_a_shown_request FOREIGN KEY (reference) REFERENCES payments.shown_request(reference);

GRANT USAGE ON SCHEMA payments TO tikiwallet_payments;

GRANT SELECT,INSERT ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(state) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(changed_at) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(attempt) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(leased_until) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(payment_key) ON TABLE payments.request TO tikiwallet_payments;

GRANT UPDATE(paid_at) ON TABLE payments.request TO tikiwallet_payments;

GRANT SELECT,INSERT ON TABLE payments.shown_request TO tikiwallet_payments;

GRANT UPDATE(payable_until) ON TABLE payments.shown_request TO tikiwallet_payments;

GRANT UPDATE(cancelled_at) ON TABLE payments.shown_request TO tikiwallet_payments;

GRANT UPDATE(payee_told_at) ON TABLE payments.shown_request TO tikiwallet_payments;

GRANT SELECT,INSERT ON TABLE payments.wallet TO tikiwallet_payments;
