-- A top-up that the person's bank takes back: what is frozen of it, what is owed, and how it ended.
CREATE TABLE funding.dispute (
    dispute_id text CONSTRAINT dispute_pkey PRIMARY KEY
        CONSTRAINT dispute_id_length CHECK (length(dispute_id) BETWEEN 1 AND 255),
    operation_id uuid NOT NULL CONSTRAINT dispute_of_operation REFERENCES funding.operation,
    person_id uuid NOT NULL,
    amount_minor bigint NOT NULL CONSTRAINT dispute_amount_positive CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    currency text NOT NULL CONSTRAINT dispute_currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    reason text NOT NULL,
    state text NOT NULL DEFAULT 'open' CONSTRAINT dispute_state_known CHECK (state IN ('open', 'won', 'lost')),
    frozen_minor bigint NOT NULL DEFAULT 0,
    repaid_minor bigint NOT NULL DEFAULT 0,
    due_by timestamptz,
    opened_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    leased_until timestamptz,
    CONSTRAINT no_more_is_taken_than_disputed
        CHECK (frozen_minor >= 0 AND repaid_minor >= 0 AND frozen_minor + repaid_minor <= amount_minor),
    CONSTRAINT only_what_is_lost_is_repaid CHECK (state = 'lost' OR repaid_minor = 0)
);

CREATE INDEX dispute_of_person ON funding.dispute (person_id, opened_at DESC);

-- Each time something was taken from the wallet for it: the n-th is one transfer, whoever makes it.
CREATE TABLE funding.dispute_taking (
    dispute_id text NOT NULL CONSTRAINT dispute_taking_of_dispute REFERENCES funding.dispute,
    number integer NOT NULL CONSTRAINT dispute_taking_counts_from_one CHECK (number >= 1),
    transfer_id uuid NOT NULL CONSTRAINT one_taking_for_each_transfer UNIQUE,
    amount_minor bigint NOT NULL CONSTRAINT dispute_taking_positive CHECK (amount_minor > 0),
    CONSTRAINT dispute_taking_pkey PRIMARY KEY (dispute_id, number)
);

GRANT SELECT, INSERT ON funding.dispute, funding.dispute_taking TO tikiwallet_funding;
GRANT UPDATE (state, frozen_minor, repaid_minor, due_by, changed_at, leased_until) ON funding.dispute TO tikiwallet_funding;

CREATE FUNCTION funding.dispute_state_follows_the_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'open' OR NEW.frozen_minor <> OLD.frozen_minor THEN
        RAISE EXCEPTION 'a dispute cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dispute_state_follows_the_rules';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER dispute_state_follows_the_rules BEFORE UPDATE OF state ON funding.dispute
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION funding.dispute_state_follows_the_rules();
