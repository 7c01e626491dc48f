-- Corrections: money that operators move because something went wrong, proposed by one and approved by another. And the
-- audit log of the ledger, chained as that of identity is (platform/audit.py says how): a correction is the only thing
-- that a person orders here. New tables only: a server of the release before neither reads nor writes them.

CREATE TABLE ledger.correction (
    -- Also the id of the transfer that it becomes, so that the index which lets a transfer post once counts for it too.
    correction_id uuid CONSTRAINT correction_once PRIMARY KEY,
    debit_account_id uuid NOT NULL CONSTRAINT correction_from_an_account REFERENCES ledger.account,
    credit_account_id uuid NOT NULL CONSTRAINT correction_to_an_account REFERENCES ledger.account,
    amount_minor bigint NOT NULL
        CONSTRAINT correction_amount_in_range CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
    currency text NOT NULL CONSTRAINT correction_currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    -- The note of the transfer: the person whose wallet it is reads it.
    reason text NOT NULL CONSTRAINT correction_has_a_reason CHECK (char_length(reason) BETWEEN 8 AND 140),
    proposed_by uuid NOT NULL,
    proposed_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'proposed'
        CONSTRAINT correction_state_known CHECK (state IN ('proposed', 'posted', 'rejected')),
    decided_by uuid,
    decided_at timestamptz,
    CONSTRAINT correction_between_two_accounts CHECK (debit_account_id <> credit_account_id),
    CONSTRAINT correction_decided_by_somebody CHECK (
        (state = 'proposed') = (decided_by IS NULL) AND (state = 'proposed') = (decided_at IS NULL)
    ),
    CONSTRAINT correction_needs_two_people CHECK (state <> 'posted' OR decided_by <> proposed_by),
    CONSTRAINT correction_expires_after_a_day
        CHECK (state <> 'posted' OR decided_at < proposed_at + interval '24 hours')
);
CREATE INDEX correction_by_time ON ledger.correction (proposed_at DESC, correction_id);

-- The money of a voucher belongs to whoever was paid with it, and money in flight to its operation, which goes on by
-- itself: nobody corrects either.
CREATE FUNCTION ledger.correction_never_touches_promised_money() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM ledger.account
    WHERE account_id IN (NEW.debit_account_id, NEW.credit_account_id)
        AND (kind NOT IN ('wallet', 'bank', 'guarantee') OR currency <> NEW.currency);
    IF FOUND THEN
        RAISE EXCEPTION 'a correction is between wallets and accounts of the operator, in one currency'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'correction_never_touches_promised_money';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER correction_never_touches_promised_money BEFORE INSERT ON ledger.correction
    FOR EACH ROW EXECUTE FUNCTION ledger.correction_never_touches_promised_money();

CREATE FUNCTION ledger.correction_is_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'correction % was decided', OLD.correction_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'correction_is_decided_once';
END $$;
CREATE TRIGGER correction_is_decided_once BEFORE UPDATE ON ledger.correction
    FOR EACH ROW WHEN (OLD.state <> 'proposed') EXECUTE FUNCTION ledger.correction_is_decided_once();

-- Posted means that it stands in the books, as it was proposed. Judged at the end of the transaction.
CREATE FUNCTION ledger.posted_correction_is_in_the_books() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM FROM ledger.posting AS p
    WHERE p.transfer_id = NEW.correction_id AND p.amount_minor < 0
        AND (p.account_id, p.other_account_id, -p.amount_minor, p.kind, p.note)
        = (NEW.debit_account_id, NEW.credit_account_id, NEW.amount_minor, 'correction', NEW.reason);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'correction % is not in the books', NEW.correction_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posted_correction_is_in_the_books';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER posted_correction_is_in_the_books AFTER INSERT OR UPDATE ON ledger.correction
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.state = 'posted') EXECUTE FUNCTION ledger.posted_correction_is_in_the_books();

GRANT SELECT, INSERT, UPDATE (state, decided_by, decided_at) ON ledger.correction TO tikiwallet_ledger;

-- How many entries there are, and the hash of the last. Whoever adds one holds this row until the end of his
-- transaction, so that entries follow each other in the order of their numbers.
CREATE TABLE ledger.audit_head (
    is_only boolean DEFAULT true CONSTRAINT one_audit_head PRIMARY KEY CONSTRAINT audit_head_is_one CHECK (is_only),
    entry_count bigint NOT NULL CONSTRAINT audit_counts_up CHECK (entry_count >= 0),
    head_hash bytea NOT NULL CONSTRAINT audit_head_is_a_hash CHECK (octet_length(head_hash) = 32)
);
INSERT INTO ledger.audit_head (entry_count, head_hash) VALUES (0, sha256('tikiwallet audit ledger'));

CREATE TABLE ledger.audit_entry (
    entry_no bigint CONSTRAINT audit_entry_once PRIMARY KEY,
    at timestamptz NOT NULL,
    act text NOT NULL CONSTRAINT audit_act_is_a_word CHECK (act ~ '^[a-z][a-z_]{2,39}$'),
    actor text NOT NULL CONSTRAINT audit_has_an_actor CHECK (actor ~ '^(person|operator|nobody|system)(:.{1,80})?$'),
    subject uuid,
    address text NOT NULL CONSTRAINT audit_address_is_short CHECK (char_length(address) <= 64),
    session_id uuid,
    label text NOT NULL CONSTRAINT audit_label_is_short CHECK (char_length(label) <= 40),
    detail text NOT NULL CONSTRAINT audit_detail_is_an_object CHECK (jsonb_typeof(detail::jsonb) = 'object'),
    previous_hash bytea NOT NULL,
    entry_hash bytea NOT NULL CONSTRAINT audit_entry_follows_one UNIQUE,
    CONSTRAINT audit_names_no_phone CHECK (actor || ' ' || label || ' ' || detail !~ '\+[1-9][0-9]{6,14}')
);
CREATE INDEX audit_entry_about ON ledger.audit_entry (subject, entry_no);

-- Numbers an entry and chains it to the one before. With the owner's rights: the context itself can't touch the head.
CREATE FUNCTION ledger.chain_audit_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_fields text[];
    v_text text;
BEGIN
    SELECT entry_count + 1, head_hash INTO STRICT NEW.entry_no, NEW.previous_hash
    FROM ledger.audit_head FOR UPDATE;
    v_fields := ARRAY[
        NEW.entry_no::text, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), NEW.act, NEW.actor,
        coalesce(NEW.subject::text, ''), NEW.address, coalesce(NEW.session_id::text, ''), NEW.label, NEW.detail
    ];
    SELECT string_agg(octet_length(convert_to(field, 'UTF8')) || ':' || field, ',' ORDER BY place) INTO v_text
    FROM unnest(v_fields) WITH ORDINALITY AS f (field, place);
    NEW.entry_hash := sha256(NEW.previous_hash || convert_to(v_text, 'UTF8'));
    UPDATE ledger.audit_head SET entry_count = NEW.entry_no, head_hash = NEW.entry_hash;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_entry_is_chained BEFORE INSERT ON ledger.audit_entry
    FOR EACH ROW EXECUTE FUNCTION ledger.chain_audit_entry();

CREATE FUNCTION ledger.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_is_append_only';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_audit_change();
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON ledger.audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_audit_change();

GRANT SELECT ON ledger.audit_head TO tikiwallet_ledger;
GRANT SELECT, INSERT (at, act, actor, subject, address, session_id, label, detail)
    ON ledger.audit_entry TO tikiwallet_ledger;
