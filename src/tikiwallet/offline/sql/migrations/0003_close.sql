-- The close: a voucher's money is shared out once, from the set of payments that came in time.
--
-- Everything that was decided is kept, and only ever added to. That the sums hold to the unit is checked here once more:
-- a close that pays a cent too much or too little can't be written down.

-- The last instant for claims. Signed is `claim_by`; an outage of the operator's moves this one, and only later.
ALTER TABLE offline.voucher ADD COLUMN claim_until timestamptz;
UPDATE offline.voucher SET claim_until = claim_by;
ALTER TABLE offline.voucher
    ALTER COLUMN claim_until SET NOT NULL,
    ADD CONSTRAINT claims_never_end_early CHECK (claim_until >= claim_by),
    DROP CONSTRAINT voucher_state_known,
    DROP CONSTRAINT signed_when_open,
    DROP CONSTRAINT opened_when_open,
    ADD CONSTRAINT voucher_state_known CHECK (state IN ('draft', 'refused', 'open', 'closing', 'closed')),
    ADD CONSTRAINT signed_when_open CHECK ((state IN ('open', 'closing', 'closed')) = (signature IS NOT NULL)),
    ADD CONSTRAINT opened_when_open CHECK ((state IN ('open', 'closing', 'closed')) = (opened_at IS NOT NULL));
DROP INDEX offline.voucher_to_close;
CREATE INDEX voucher_to_close ON offline.voucher (claim_by, voucher_id) WHERE state IN ('open', 'closing');

ALTER TABLE offline.holder
    ADD COLUMN debt_minor bigint NOT NULL DEFAULT 0 CONSTRAINT debt_never_negative CHECK (debt_minor >= 0);
CREATE INDEX holder_in_debt ON offline.holder (person_id) WHERE debt_minor > 0;

-- Each time the money was counted. Only one attempt of a voucher is ever posted; when a pot changed in between, the
-- next one is computed.
CREATE TABLE offline.close_attempt (
    voucher_id uuid NOT NULL REFERENCES offline.voucher,
    attempt_no integer NOT NULL CONSTRAINT attempt_no_from_one CHECK (attempt_no >= 1),
    plan jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (voucher_id, attempt_no)
);

-- What each key got, and why.
CREATE TABLE offline.share (
    voucher_id uuid NOT NULL REFERENCES offline.voucher,
    key_id bytea NOT NULL,
    person_id uuid,
    home_minor bigint NOT NULL,
    sole_minor bigint NOT NULL,
    shared_minor bigint NOT NULL,
    top_minor bigint NOT NULL,
    claimed_minor bigint NOT NULL,
    PRIMARY KEY (voucher_id, key_id),
    CONSTRAINT share_never_negative CHECK (least(home_minor, sole_minor, shared_minor, top_minor, claimed_minor) >= 0)
);
CREATE INDEX share_by_person ON offline.share (person_id);

-- What each double spender owed, and out of what it was made good. A key that nobody registered stands for itself.
CREATE TABLE offline.liability (
    voucher_id uuid NOT NULL REFERENCES offline.voucher,
    person_id uuid,
    key_id bytea,
    owed_minor bigint NOT NULL CONSTRAINT liability_positive CHECK (owed_minor > 0),
    from_shares_minor bigint NOT NULL,
    from_online_minor bigint NOT NULL,
    from_guarantee_minor bigint NOT NULL,
    CONSTRAINT liability_of_one_account CHECK (num_nonnulls(person_id, key_id) = 1),
    CONSTRAINT one_liability_per_account UNIQUE NULLS NOT DISTINCT (voucher_id, person_id, key_id),
    CONSTRAINT pots_never_negative CHECK (least(from_shares_minor, from_online_minor, from_guarantee_minor) >= 0),
    CONSTRAINT never_taken_above_owed CHECK (from_shares_minor + from_online_minor + from_guarantee_minor <= owed_minor)
);
CREATE INDEX liability_by_person ON offline.liability (person_id);

-- Money that leaves the escrow of a closed voucher. One for a key that nobody registered waits until somebody does; one
-- for a wallet that is full waits until it takes it.
CREATE TABLE offline.payout (
    transfer_id uuid PRIMARY KEY,
    voucher_id uuid NOT NULL REFERENCES offline.voucher,
    person_id uuid,
    key_id bytea,
    amount_minor bigint NOT NULL CONSTRAINT payout_positive CHECK (amount_minor > 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    posted_at timestamptz,
    CONSTRAINT payout_to_one_account CHECK (num_nonnulls(person_id, key_id) = 1),
    CONSTRAINT one_payout_per_account UNIQUE NULLS NOT DISTINCT (voucher_id, person_id, key_id)
);
CREATE INDEX payout_waiting ON offline.payout (transfer_id) WHERE posted_at IS NULL;
CREATE INDEX payout_by_person ON offline.payout (person_id, recorded_at);
CREATE INDEX payout_by_key ON offline.payout (key_id, recorded_at) WHERE key_id IS NOT NULL;

-- Early releases beyond what the close was worth: owed to the operator, and repaid before anything else.
CREATE TABLE offline.debt (
    voucher_id uuid NOT NULL REFERENCES offline.voucher,
    person_id uuid NOT NULL REFERENCES offline.holder,
    amount_minor bigint NOT NULL CONSTRAINT debt_positive CHECK (amount_minor > 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (voucher_id, person_id)
);
CREATE INDEX debt_by_person ON offline.debt (person_id);

CREATE TABLE offline.debt_payment (
    person_id uuid NOT NULL REFERENCES offline.holder,
    payment_no integer NOT NULL CONSTRAINT debt_payment_no_from_one CHECK (payment_no >= 1),
    transfer_id uuid NOT NULL CONSTRAINT debt_paid_once UNIQUE,
    amount_minor bigint NOT NULL CONSTRAINT debt_payment_positive CHECK (amount_minor > 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (person_id, payment_no)
);

-- The close itself: what came in equals what goes out.
CREATE TABLE offline.settlement (
    voucher_id uuid NOT NULL CONSTRAINT one_close_per_voucher PRIMARY KEY,
    attempt_no integer NOT NULL,
    amount_minor bigint NOT NULL,
    released_minor bigint NOT NULL,
    from_online_minor bigint NOT NULL,
    from_operator_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (voucher_id, attempt_no) REFERENCES offline.close_attempt,
    CONSTRAINT settlement_never_negative
        CHECK (least(amount_minor, released_minor, from_online_minor, from_operator_minor, paid_minor) >= 0),
    CONSTRAINT paid_equals_taken_in
        CHECK (paid_minor = amount_minor - released_minor + from_online_minor + from_operator_minor)
);

CREATE FUNCTION offline.settlement_adds_up() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_voucher offline.voucher;
    v_shared bigint;
    v_top bigint;
    v_used bigint;
    v_online bigint;
    v_guarantee bigint;
    v_debt bigint;
    v_paid bigint;
BEGIN
    SELECT * INTO v_voucher FROM offline.voucher WHERE voucher_id = NEW.voucher_id;
    SELECT coalesce(sum(home_minor + sole_minor + shared_minor), 0), coalesce(sum(top_minor), 0) INTO v_shared, v_top
    FROM offline.share WHERE voucher_id = NEW.voucher_id;
    SELECT coalesce(sum(from_shares_minor + from_online_minor + from_guarantee_minor), 0),
        coalesce(sum(from_online_minor), 0), coalesce(sum(from_guarantee_minor), 0)
    INTO v_used, v_online, v_guarantee FROM offline.liability WHERE voucher_id = NEW.voucher_id;
    SELECT coalesce(sum(amount_minor), 0) INTO v_debt FROM offline.debt WHERE voucher_id = NEW.voucher_id;
    SELECT coalesce(sum(amount_minor), 0) INTO v_paid FROM offline.payout WHERE voucher_id = NEW.voucher_id;
    IF (NEW.amount_minor, NEW.released_minor) <> (v_voucher.amount_minor, v_voucher.released_minor)
        OR v_shared <> NEW.amount_minor + v_used
        OR NEW.from_online_minor <> v_online
        OR NEW.from_operator_minor <> v_top + v_guarantee + v_debt
        OR NEW.paid_minor <> v_paid
    THEN
        RAISE EXCEPTION 'the close of voucher % does not add up', NEW.voucher_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settlement_adds_up';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settlement_adds_up AFTER INSERT ON offline.settlement
    FOR EACH ROW EXECUTE FUNCTION offline.settlement_adds_up();

CREATE FUNCTION offline.settled_once() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF EXISTS (SELECT FROM offline.settlement WHERE voucher_id = NEW.voucher_id) THEN
        RAISE EXCEPTION 'voucher % is settled already', NEW.voucher_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settled_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settled_once BEFORE INSERT ON offline.share
    FOR EACH ROW EXECUTE FUNCTION offline.settled_once();
CREATE TRIGGER settled_once BEFORE INSERT ON offline.liability
    FOR EACH ROW EXECUTE FUNCTION offline.settled_once();
CREATE TRIGGER settled_once BEFORE INSERT ON offline.payout
    FOR EACH ROW EXECUTE FUNCTION offline.settled_once();
CREATE TRIGGER settled_once BEFORE INSERT ON offline.debt
    FOR EACH ROW EXECUTE FUNCTION offline.settled_once();

CREATE OR REPLACE FUNCTION offline.voucher_moves_forward() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.claim_until := coalesce(NEW.claim_until, NEW.claim_by);
        RETURN NEW;
    END IF;
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'open'), ('draft', 'refused'), ('refused', 'draft'), ('refused', 'open'), ('open', 'closing'),
        ('closing', 'closed')
    ) THEN
        RAISE EXCEPTION 'a voucher never goes from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'voucher_moves_forward';
    END IF;
    IF OLD.state IN ('draft', 'refused') AND NEW.claim_by <> OLD.claim_by THEN
        NEW.claim_until := NEW.claim_by;
    ELSIF NEW.claim_until < OLD.claim_until OR (NEW.claim_until > OLD.claim_until AND OLD.state <> 'open') THEN
        RAISE EXCEPTION 'the time for claims only ever grows, and only while a voucher is open'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'claims_only_end_later';
    END IF;
    IF OLD.state IN ('open', 'closing', 'closed')
        AND (NEW.payload, NEW.signature) IS DISTINCT FROM (OLD.payload, OLD.signature)
    THEN
        RAISE EXCEPTION 'a signed voucher never changes'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'signed_voucher_never_changes';
    END IF;
    IF OLD.state IN ('closing', 'closed') AND NEW.released_minor <> OLD.released_minor THEN
        RAISE EXCEPTION 'nothing is released early once a voucher is closing'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'released_before_closing';
    END IF;
    IF NEW.state = 'closed' AND NOT EXISTS (SELECT FROM offline.settlement WHERE voucher_id = NEW.voucher_id) THEN
        RAISE EXCEPTION 'voucher % has no settlement', NEW.voucher_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'closed_by_a_settlement';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER claims_begin BEFORE INSERT ON offline.voucher
    FOR EACH ROW EXECUTE FUNCTION offline.voucher_moves_forward();

-- When a server of the operator's was last seen at work; a gap moves `claim_until` of everything open.
CREATE TABLE offline.heartbeat (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT one_heartbeat CHECK (only_row),
    beat_at timestamptz NOT NULL
);
CREATE TABLE offline.outage (
    began_at timestamptz PRIMARY KEY,
    ended_at timestamptz NOT NULL,
    moved_count integer NOT NULL,
    CONSTRAINT outage_dates_in_order CHECK (began_at < ended_at)
);

-- What the operator has promised of its own money, as last measured; loads and certificates look at `paused`.
CREATE TABLE offline.exposure (
    only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT one_exposure CHECK (only_row),
    total_minor bigint NOT NULL CONSTRAINT exposure_never_negative CHECK (total_minor >= 0),
    paused boolean NOT NULL,
    measured_at timestamptz NOT NULL
);

GRANT UPDATE (claim_until) ON offline.voucher TO tikiwallet_offline;
GRANT UPDATE (debt_minor) ON offline.holder TO tikiwallet_offline;
GRANT SELECT, INSERT ON
    offline.close_attempt, offline.share, offline.liability, offline.debt, offline.debt_payment, offline.settlement,
    offline.outage
TO tikiwallet_offline;
GRANT SELECT, INSERT, UPDATE (posted_at) ON offline.payout TO tikiwallet_offline;
GRANT SELECT, INSERT, UPDATE (total_minor, paused, measured_at) ON offline.exposure TO tikiwallet_offline;
GRANT SELECT, INSERT, UPDATE (beat_at) ON offline.heartbeat TO tikiwallet_offline;
