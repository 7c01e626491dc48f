-- The server's side of offline money. Every rule about money has a name here, so that the database keeps it even when
-- the code is wrong; tables of what happened are insert-only by grant, because a history that can be edited proves nothing.

-- One row: the network whose keys this database belongs to. A server started with other keys must not issue anything.
CREATE TABLE offline.network (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT one_network CHECK (only_row),
    net bigint NOT NULL,
    root_key bytea NOT NULL CONSTRAINT root_key_is_a_point CHECK (octet_length(root_key) = 33),
    revocation_epoch bigint NOT NULL DEFAULT 0 CONSTRAINT epoch_never_negative CHECK (revocation_epoch >= 0)
);

-- Proof that whoever registers a phone holds its key. Single use, short life.
CREATE TABLE offline.challenge (
    challenge_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    challenge bytea NOT NULL CONSTRAINT challenge_is_32_bytes CHECK (octet_length(challenge) = 32),
    expires_at timestamptz NOT NULL,
    consumed_at timestamptz
);
CREATE INDEX challenge_by_person ON offline.challenge (person_id);

-- A person with phones: the row that is locked to count budgets, vouchers and early releases of one person.
CREATE TABLE offline.holder (
    person_id uuid PRIMARY KEY,
    granted_minor bigint NOT NULL DEFAULT 0 CONSTRAINT granted_never_negative CHECK (granted_minor >= 0),
    granted_max_minor bigint NOT NULL DEFAULT 0,
    CONSTRAINT certificates_within_tier CHECK (granted_minor <= granted_max_minor)
);

CREATE TABLE offline.device (
    device_id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES offline.holder,
    public_key bytea NOT NULL
        CONSTRAINT one_person_per_key UNIQUE
        CONSTRAINT public_key_is_a_point CHECK (octet_length(public_key) = 33),
    key_id bytea NOT NULL
        CONSTRAINT one_device_per_key_id UNIQUE
        CONSTRAINT key_id_is_16_bytes CHECK (octet_length(key_id) = 16),
    name text NOT NULL CONSTRAINT device_name_length CHECK (char_length(name) BETWEEN 1 AND 64),
    shown_name text NOT NULL,
    name_salt bytea NOT NULL CONSTRAINT name_salt_is_16_bytes CHECK (octet_length(name_salt) = 16),
    receive_only boolean NOT NULL,
    challenge_id uuid NOT NULL,
    registered_at timestamptz NOT NULL,
    retired_at timestamptz,
    budget_minor bigint NOT NULL DEFAULT 0 CONSTRAINT budget_never_negative CHECK (budget_minor >= 0),
    budget_renewed_at timestamptz NOT NULL
);
CREATE INDEX device_by_person ON offline.device (person_id, registered_at);

-- How the cover budget of each phone came about: what was granted, used by a close, and given back by a retired key.
CREATE TABLE offline.budget_change (
    device_id uuid NOT NULL REFERENCES offline.device,
    change_no integer NOT NULL,
    reason text NOT NULL CONSTRAINT budget_reason_known CHECK (reason IN ('granted', 'used', 'returned')),
    amount_minor bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (device_id, change_no),
    CONSTRAINT only_grants_add CHECK ((reason = 'granted') = (amount_minor > 0) AND amount_minor <> 0)
);

-- Certificates as they were signed; also those that came back in the chains of payments.
CREATE TABLE offline.certificate (
    document_id bytea PRIMARY KEY CONSTRAINT certificate_id_is_32_bytes CHECK (octet_length(document_id) = 32),
    key_id bytea NOT NULL,
    payload bytea NOT NULL,
    signature bytea NOT NULL CONSTRAINT certificate_is_signed CHECK (octet_length(signature) = 64),
    issued_at timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    cover_budget_minor bigint NOT NULL,
    CONSTRAINT certificate_dates_in_order CHECK (issued_at < valid_until)
);
CREATE INDEX certificate_by_key ON offline.certificate (key_id, issued_at);

-- A voucher from the wish to load until its close. The row is the promise; `payload` is what is signed once the money
-- stands in escrow.
CREATE TABLE offline.voucher (
    voucher_id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES offline.holder,
    device_id uuid NOT NULL REFERENCES offline.device,
    key_id bytea NOT NULL,
    currency integer NOT NULL,
    units int8range NOT NULL,
    amount_minor bigint NOT NULL CONSTRAINT voucher_amount_positive CHECK (amount_minor > 0),
    state text NOT NULL CONSTRAINT voucher_state_known CHECK (state IN ('draft', 'refused', 'open', 'closed')),
    refused_code text,
    document_id bytea NOT NULL CONSTRAINT voucher_document_once UNIQUE,
    payload bytea NOT NULL,
    signature bytea CONSTRAINT voucher_signature_is_64_bytes CHECK (octet_length(signature) = 64),
    tier smallint NOT NULL,
    cover_minor bigint NOT NULL CONSTRAINT cover_never_negative CHECK (cover_minor >= 0),
    issued_at timestamptz NOT NULL,
    spend_by timestamptz NOT NULL,
    claim_by timestamptz NOT NULL,
    released_minor bigint NOT NULL DEFAULT 0,
    opened_at timestamptz,
    closed_at timestamptz,
    -- A unit number is given out once, ever: two vouchers with one number would make an honest payer look like a cheat.
    CONSTRAINT no_unit_twice EXCLUDE USING gist (int4range(currency, currency, '[]') WITH &&, units WITH &&),
    CONSTRAINT escrow_equals_loaded CHECK (upper(units) - lower(units) = amount_minor),
    CONSTRAINT units_below_2_53 CHECK (lower(units) >= 0 AND upper(units) <= 9007199254740992),
    CONSTRAINT never_released_above_escrow CHECK (released_minor BETWEEN 0 AND amount_minor),
    CONSTRAINT signed_when_open CHECK ((state IN ('open', 'closed')) = (signature IS NOT NULL)),
    CONSTRAINT opened_when_open CHECK ((state IN ('open', 'closed')) = (opened_at IS NOT NULL)),
    CONSTRAINT closed_when_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT refused_with_a_code CHECK ((state = 'refused') = (refused_code IS NOT NULL)),
    CONSTRAINT voucher_dates_in_order CHECK (issued_at < spend_by AND spend_by <= claim_by)
);
CREATE INDEX voucher_by_person ON offline.voucher (person_id, issued_at);
CREATE INDEX voucher_to_close ON offline.voucher (claim_by, voucher_id) WHERE state = 'open';

CREATE FUNCTION offline.voucher_moves_forward() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'open'), ('draft', 'refused'), ('refused', 'draft'), ('refused', 'open'), ('open', 'closed')
    ) THEN
        RAISE EXCEPTION 'a voucher never goes from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'voucher_moves_forward';
    END IF;
    IF OLD.state IN ('open', 'closed') AND (NEW.payload, NEW.signature) IS DISTINCT FROM (OLD.payload, OLD.signature) THEN
        RAISE EXCEPTION 'a signed voucher never changes'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'signed_voucher_never_changes';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER voucher_moves_forward BEFORE UPDATE ON offline.voucher
    FOR EACH ROW EXECUTE FUNCTION offline.voucher_moves_forward();

-- Payments: a set, keyed by the full identity of the document. In time means `recorded_at`, by the database clock.
CREATE TABLE offline.payment (
    document_id bytea PRIMARY KEY CONSTRAINT payment_id_is_32_bytes CHECK (octet_length(document_id) = 32),
    payload bytea NOT NULL,
    signature bytea NOT NULL CONSTRAINT payment_is_signed CHECK (octet_length(signature) = 64),
    payer_key_id bytea NOT NULL CONSTRAINT payer_key_id_is_16_bytes CHECK (octet_length(payer_key_id) = 16),
    payee_key_id bytea NOT NULL CONSTRAINT payee_key_id_is_16_bytes CHECK (octet_length(payee_key_id) = 16),
    currency integer NOT NULL,
    total_minor bigint NOT NULL CONSTRAINT payment_total_positive CHECK (total_minor > 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX payment_by_payee ON offline.payment (payee_key_id);
CREATE INDEX payment_by_short_id ON offline.payment (substring(document_id FROM 1 FOR 16));

CREATE TABLE offline.piece (
    document_id bytea NOT NULL REFERENCES offline.payment,
    piece_no smallint NOT NULL CONSTRAINT piece_no_from_one CHECK (piece_no >= 1),
    voucher_id uuid NOT NULL REFERENCES offline.voucher,
    parent_document_id bytea NOT NULL CONSTRAINT parent_id_is_32_bytes CHECK (octet_length(parent_document_id) = 32),
    units int8range NOT NULL CONSTRAINT piece_holds_units CHECK (NOT isempty(units)),
    PRIMARY KEY (document_id, piece_no)
);
CREATE INDEX piece_by_units ON offline.piece USING gist (units);
CREATE INDEX piece_by_voucher ON offline.piece (voucher_id);

-- Who brought a payment. Apart from the payment, so that it can never matter for what is paid.
CREATE TABLE offline.submission (
    document_id bytea NOT NULL REFERENCES offline.payment,
    person_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (document_id, person_id)
);

CREATE TABLE offline.refusal (
    document_id bytea PRIMARY KEY CONSTRAINT refusal_id_is_32_bytes CHECK (octet_length(document_id) = 32),
    payment_document_id bytea NOT NULL REFERENCES offline.payment,
    key_id bytea NOT NULL,
    payload bytea NOT NULL,
    signature bytea NOT NULL CONSTRAINT refusal_is_signed CHECK (octet_length(signature) = 64),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX refusal_by_payment ON offline.refusal (payment_document_id);

-- Double spends, each with the proof that anybody can check with the root key alone.
CREATE TABLE offline.proof (
    first_id bytea NOT NULL REFERENCES offline.payment,
    second_id bytea NOT NULL REFERENCES offline.payment,
    key_id bytea NOT NULL,
    person_id uuid,
    document bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (first_id, second_id),
    CONSTRAINT proof_written_one_way CHECK (first_id < second_id)
);
CREATE INDEX proof_by_person ON offline.proof (person_id);

-- Keys that nobody should take money from any more; the list that phones carry is made of these.
CREATE TABLE offline.revocation (
    key_id bytea PRIMARY KEY,
    epoch bigint NOT NULL CONSTRAINT one_key_per_epoch UNIQUE,
    reason text NOT NULL CONSTRAINT revocation_reason_known CHECK (reason IN ('retired', 'spent_twice')),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Money released from escrow before the close; set off there. First the promise, then the row that says it was posted.
CREATE TABLE offline.advance (
    transfer_id uuid PRIMARY KEY,
    voucher_id uuid NOT NULL REFERENCES offline.voucher,
    person_id uuid NOT NULL REFERENCES offline.holder,
    key_id bytea NOT NULL,
    document_id bytea REFERENCES offline.payment,
    reason text NOT NULL CONSTRAINT advance_reason_known CHECK (reason IN ('hand_back', 'final')),
    amount_minor bigint NOT NULL CONSTRAINT advance_positive CHECK (amount_minor > 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT hand_back_has_a_document CHECK ((reason = 'hand_back') = (document_id IS NOT NULL)),
    CONSTRAINT hand_back_released_once UNIQUE (document_id, voucher_id)
);
CREATE INDEX advance_by_person ON offline.advance (person_id);
CREATE INDEX advance_by_voucher ON offline.advance (voucher_id);

CREATE TABLE offline.advance_posted (
    transfer_id uuid PRIMARY KEY REFERENCES offline.advance,
    posted_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE (revocation_epoch) ON offline.network TO tikiwallet_offline;
GRANT SELECT, INSERT, DELETE, UPDATE (consumed_at) ON offline.challenge TO tikiwallet_offline;
GRANT SELECT, INSERT, UPDATE (granted_minor, granted_max_minor) ON offline.holder TO tikiwallet_offline;
GRANT SELECT, INSERT, UPDATE (retired_at, budget_minor, budget_renewed_at) ON offline.device TO tikiwallet_offline;
GRANT SELECT, INSERT, UPDATE (
    state, refused_code, document_id, payload, signature, tier, cover_minor, issued_at, spend_by, claim_by,
    released_minor, opened_at, closed_at
) ON offline.voucher TO tikiwallet_offline;
GRANT SELECT, INSERT ON
    offline.budget_change, offline.certificate, offline.payment, offline.piece, offline.submission, offline.refusal,
    offline.proof, offline.revocation, offline.advance, offline.advance_posted
TO tikiwallet_offline;
