-- A request code that a payee's phone shows while it is in touch with us, so that whoever scanned it may pay online.
-- The reference is base64url of the id of the phone's key (16 bytes) and the nonce of the code (8 bytes).
CREATE TABLE payments.shown_request (
    reference text CONSTRAINT shown_request_pkey PRIMARY KEY
        CONSTRAINT reference_is_24_bytes CHECK (reference ~ '^[A-Za-z0-9_-]{32}$'),
    payee_id uuid NOT NULL,
    amount_minor bigint NOT NULL
        CONSTRAINT shown_amount_positive CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    currency text NOT NULL CONSTRAINT shown_currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    shown_at timestamptz NOT NULL,
    -- Renewed while the phone is in touch: money never goes where nobody looks.
    payable_until timestamptz NOT NULL,
    cancelled_at timestamptz,
    -- Since when the payee's phone knows that it was paid; the payer's screen waits for it.
    payee_told_at timestamptz,
    CONSTRAINT shown_for_a_while CHECK (payable_until > shown_at)
);
CREATE INDEX shown_request_of_payee ON payments.shown_request (payee_id, payable_until);

-- Who shows which code for how much is never changed, and nothing is deleted.
GRANT SELECT, INSERT ON payments.shown_request TO tikiwallet_payments;
GRANT UPDATE (payable_until, cancelled_at, payee_told_at) ON payments.shown_request TO tikiwallet_payments;

-- Each attempt to pay a shown code is a request of its own between two people; null: nobody scanned anything.
ALTER TABLE payments.request ADD COLUMN reference text
    CONSTRAINT attempt_is_of_a_shown_request REFERENCES payments.shown_request;
CREATE UNIQUE INDEX one_payment_per_shown_request ON payments.request (reference) WHERE state IN ('accepted', 'paid');
CREATE INDEX attempt_of_shown_request ON payments.request (reference) WHERE reference IS NOT NULL;

-- Paid or taken back, never both. The lock makes the two wait for each other.
CREATE FUNCTION payments.a_cancelled_code_is_never_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM payments.shown_request WHERE reference = NEW.reference AND cancelled_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this code was taken back'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'a_cancelled_code_is_never_paid';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER a_cancelled_code_is_never_paid BEFORE UPDATE OF state ON payments.request
    FOR EACH ROW WHEN (NEW.state = 'accepted' AND NEW.reference IS NOT NULL)
    EXECUTE FUNCTION payments.a_cancelled_code_is_never_paid();

CREATE FUNCTION payments.a_paid_code_is_never_cancelled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM payments.request WHERE reference = NEW.reference AND state IN ('accepted', 'paid');
    IF FOUND THEN
        RAISE EXCEPTION 'this code was paid'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'a_paid_code_is_never_cancelled';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER a_paid_code_is_never_cancelled BEFORE UPDATE OF cancelled_at ON payments.shown_request
    FOR EACH ROW WHEN (NEW.cancelled_at IS NOT NULL)
    EXECUTE FUNCTION payments.a_paid_code_is_never_cancelled();
