-- A top-up or a withdrawal: who, how much, and where it stands.
CREATE TABLE funding.operation (
    operation_id uuid CONSTRAINT operation_pkey PRIMARY KEY,
    person_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT operation_kind_known CHECK (kind IN ('top_up', 'withdrawal')),
    amount_minor bigint NOT NULL
        CONSTRAINT operation_amount_positive CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    currency text NOT NULL CONSTRAINT operation_currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    bank text NOT NULL,
    created_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'requested' CONSTRAINT operation_state_known CHECK (state IN (
        'requested', 'refused', 'reserved', 'pending', 'confirmed', 'returning', 'settled', 'declined', 'returned'
    )),
    changed_at timestamptz NOT NULL,
    -- Which process has the operation to itself, and until when (null: nobody).
    attempt integer NOT NULL DEFAULT 1,
    leased_until timestamptz,
    CONSTRAINT top_up_reserves_nothing CHECK (kind = 'withdrawal' OR state NOT IN ('reserved', 'refused')),
    CONSTRAINT only_a_top_up_is_returned CHECK (kind = 'top_up' OR state <> 'returned')
);

CREATE INDEX operation_of_person ON funding.operation (person_id, created_at DESC);

-- Who moves how much is never changed, and nothing is deleted: only the progress may be written.
GRANT SELECT, INSERT ON funding.operation TO tikiwallet_funding;
GRANT UPDATE (state, changed_at, attempt, leased_until) ON funding.operation TO tikiwallet_funding;

CREATE FUNCTION funding.operation_state_follows_the_rules() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER operation_state_follows_the_rules BEFORE UPDATE OF state ON funding.operation
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION funding.operation_state_follows_the_rules();
