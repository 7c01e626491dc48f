-- Whose wallet an account of the ledger is. Written once, at sign-up.
CREATE TABLE payments.wallet (
    account_id uuid CONSTRAINT wallet_pkey PRIMARY KEY,
    person_id uuid NOT NULL,
    currency text NOT NULL CONSTRAINT wallet_currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT one_wallet_per_person_and_currency UNIQUE (person_id, currency)
);

GRANT SELECT, INSERT ON payments.wallet TO tikiwallet_payments;

-- A person asks another for money.
CREATE TABLE payments.request (
    request_id uuid CONSTRAINT request_pkey PRIMARY KEY,
    payee_id uuid NOT NULL,
    payer_id uuid NOT NULL,
    amount_minor bigint NOT NULL CONSTRAINT request_amount_positive CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    currency text NOT NULL CONSTRAINT request_currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    memo text NOT NULL CONSTRAINT request_memo_fits_a_note CHECK (char_length(memo) <= 140),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CONSTRAINT request_state_known
        CHECK (state IN ('open', 'accepted', 'paid', 'declined', 'cancelled', 'expired')),
    changed_at timestamptz NOT NULL,
    -- While accepted: which attempt to move the money this is, and until when one process has it to itself (null: nobody).
    attempt integer NOT NULL DEFAULT 0,
    leased_until timestamptz,
    payment_key text,
    paid_at timestamptz,
    CONSTRAINT nobody_asks_themselves CHECK (payee_id <> payer_id),
    CONSTRAINT request_expires_later CHECK (expires_at > created_at),
    CONSTRAINT payment_has_a_key CHECK ((state IN ('accepted', 'paid')) = (payment_key IS NOT NULL)),
    CONSTRAINT only_accepted_is_leased CHECK (state = 'accepted' OR leased_until IS NULL),
    CONSTRAINT paid_has_a_time CHECK ((state = 'paid') = (paid_at IS NOT NULL))
);

CREATE UNIQUE INDEX one_key_pays_one_request ON payments.request (payer_id, payment_key) WHERE payment_key IS NOT NULL;
CREATE INDEX request_of_payer ON payments.request (payer_id, created_at DESC, request_id DESC);
CREATE INDEX request_of_payee ON payments.request (payee_id, created_at DESC, request_id DESC);
CREATE INDEX open_request_of_payer ON payments.request (payer_id) WHERE state = 'open';
CREATE INDEX open_request_of_payee ON payments.request (payee_id, payer_id) WHERE state = 'open';

-- Who asks whom for how much is never changed, and nothing is deleted: only the progress may be written.
GRANT SELECT, INSERT ON payments.request TO tikiwallet_payments;
GRANT UPDATE (state, changed_at, attempt, leased_until, payment_key, paid_at) ON payments.request
    TO tikiwallet_payments;

CREATE FUNCTION payments.request_state_follows_the_rules() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER request_state_follows_the_rules BEFORE UPDATE OF state ON payments.request
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION payments.request_state_follows_the_rules();
