-- What a real provider needs of an operation: how the person pays, what was agreed, what the provider made for it, and
-- when what is to be expected.
ALTER TABLE funding.operation
    ADD COLUMN through text NOT NULL DEFAULT 'page'
        CONSTRAINT operation_through_known CHECK (through IN ('page', 'native', 'saved')),
    ADD COLUMN method_id text NOT NULL DEFAULT '',
    ADD COLUMN fee_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN origin bytea,
    ADD COLUMN is_cancelled boolean NOT NULL DEFAULT false,
    ADD COLUMN reason text NOT NULL DEFAULT ''
        CONSTRAINT operation_reason_known CHECK (reason IN ('', 'expired', 'cancelled')),
    ADD COLUMN go_to_url text NOT NULL DEFAULT '',
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN expected_by timestamptz,
    ADD CONSTRAINT a_saved_method_is_named CHECK ((through = 'saved') = (method_id <> '')),
    ADD CONSTRAINT fee_leaves_something CHECK (fee_minor >= 0 AND fee_minor < amount_minor),
    ADD CONSTRAINT only_a_withdrawal_has_a_fee CHECK (kind = 'withdrawal' OR fee_minor = 0),
    ADD CONSTRAINT a_reason_is_of_a_no CHECK (reason = '' OR state IN ('returning', 'declined'));

-- Who tried how often, counted before each top-up: `origin` is a keyed hash of the address it came from.
CREATE INDEX operation_of_origin ON funding.operation (origin, created_at DESC) WHERE origin IS NOT NULL;

GRANT UPDATE (is_cancelled, reason, go_to_url, expires_at, expected_by) ON funding.operation TO tikiwallet_funding;

-- What the provider made for an operation. One for each step: a second would be money moved twice.
CREATE TABLE funding.provider_object (
    operation_id uuid NOT NULL CONSTRAINT provider_object_of_operation REFERENCES funding.operation,
    step text NOT NULL CONSTRAINT provider_object_step_known CHECK (step IN (
        'session', 'payment', 'refund', 'transfer', 'payout', 'reversal'
    )),
    object_id text NOT NULL CONSTRAINT provider_object_id_length CHECK (length(object_id) BETWEEN 1 AND 255),
    made_at timestamptz NOT NULL,
    CONSTRAINT one_object_for_each_step PRIMARY KEY (operation_id, step),
    CONSTRAINT one_operation_for_each_object UNIQUE (object_id)
);

GRANT SELECT, INSERT ON funding.provider_object TO tikiwallet_funding;
