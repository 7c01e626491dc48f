-- Made by `make schema`. The source is sql/migrations/.
CREATE SCHEMA offline;

CREATE FUNCTION offline.append_claims(p_person_id uuid, p_document_ids bytea, p_payloads bytea[], p_signatures bytea, p_payer_key_ids bytea, p_payee_key_ids bytea, p_currencies integer[], p_totals_minor bigint[], p_are_brought boolean[], p_payments integer[], p_piece_nos smallint[], p_voucher_ids uuid[], p_parent_document_ids bytea, p_firsts bigint[], p_pasts bigint[], OUT new_ids bytea[], OUT known_at timestamp with time zone, OUT contested_ids uuid[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    WITH fresh AS (
        INSERT INTO offline.payment (
            document_id, payload, signature, payer_key_id, payee_key_id, currency, total_minor, brought_by
        )
        SELECT substr(p_document_ids, 32 * n - 31, 32), payload, substr(p_signatures, 64 * n - 63, 64),
            substr(p_payer_key_ids, 16 * n - 15, 16), substr(p_payee_key_ids, 16 * n - 15, 16), currency, total_minor,
            CASE WHEN is_brought THEN p_person_id END
        FROM unnest(p_payloads, p_currencies, p_totals_minor, p_are_brought) WITH ORDINALITY
            AS given (payload, currency, total_minor, is_brought, place),
            LATERAL (SELECT place::int) AS placed (n)
        ON CONFLICT (document_id) DO NOTHING
        RETURNING document_id
    )
    SELECT coalesce(array_agg(document_id), '{}') INTO new_ids FROM fresh;

    IF cardinality(new_ids) > 0 THEN
        INSERT INTO offline.piece (document_id, piece_no, voucher_id, parent_document_id, units)
        SELECT fresh.document_id, piece_no, voucher_id, substr(p_parent_document_ids, 32 * place::int - 31, 32),
            int8range(first, past)
        FROM unnest(p_payments, p_piece_nos, p_voucher_ids, p_firsts, p_pasts) WITH ORDINALITY
            AS given (n, piece_no, voucher_id, first, past, place)
        JOIN unnest(new_ids) AS fresh (document_id) ON fresh.document_id = substr(p_document_ids, 32 * n - 31, 32);
    END IF;
    IF cardinality(new_ids) < cardinality(p_payloads) THEN
        INSERT INTO offline.submission (document_id, person_id)
        SELECT document_id, p_person_id
        FROM unnest(p_are_brought) WITH ORDINALITY AS given (is_brought, place),
            LATERAL (SELECT substr(p_document_ids, 32 * place::int - 31, 32)) AS named (document_id)
        WHERE is_brought AND NOT EXISTS (
            SELECT FROM offline.payment WHERE payment.document_id = named.document_id AND brought_by = p_person_id OFFSET 0
        )
        ON CONFLICT (document_id, person_id) DO NOTHING;
    END IF;
    -- Whoever appends holds the locks of the vouchers: what they say is said for good.
    contested_ids := ARRAY(
        SELECT voucher_id FROM offline.voucher
        WHERE voucher_id = ANY(p_voucher_ids) AND is_contested AND cardinality(new_ids) > 0
    );
    known_at := clock_timestamp();
END $$;

CREATE FUNCTION offline.append_plain_claims(p_person_id uuid, p_document_ids bytea, p_payloads bytea[], p_signatures bytea, p_payer_key_ids bytea, p_payee_key_ids bytea, p_currencies integer[], p_totals_minor bigint[], p_are_brought boolean[], p_payments integer[], p_piece_nos smallint[], p_parent_document_ids bytea, p_firsts bigint[], p_pasts bigint[], OUT new_ids bytea[], OUT known_at timestamp with time zone, OUT claims_until timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_parent_ids bytea[] := ARRAY(
        SELECT substr(p_parent_document_ids, 32 * n - 31, 32) FROM generate_series(1, cardinality(p_payments)) AS n
    );
    v_voucher_ids uuid[];
    v_document_ids bytea[];
    v_is_contested boolean;
    v_contested_ids uuid[];
BEGIN
    -- Always in the order of ids, so that two syncs can't wait for each other.
    SELECT array_agg(voucher_id), array_agg(document_id), bool_or(is_contested), min(claim_until)
    INTO v_voucher_ids, v_document_ids, v_is_contested, claims_until
    FROM (
        SELECT voucher_id, document_id, is_contested, claim_until FROM offline.voucher
        WHERE document_id = ANY(v_parent_ids) AND state IN ('open', 'closing', 'closed')
        ORDER BY voucher_id FOR NO KEY UPDATE
    ) AS locked;
    IF v_is_contested THEN
        RETURN;
    END IF;
    v_voucher_ids := ARRAY(
        SELECT v_voucher_ids[array_position(v_document_ids, parent_id)]
        FROM unnest(v_parent_ids) WITH ORDINALITY AS given (parent_id, place) ORDER BY place
    );
    IF array_position(v_voucher_ids, NULL) IS NOT NULL THEN  -- the operator never opened it
        RETURN;
    END IF;
    SELECT appended.new_ids, appended.known_at, appended.contested_ids INTO new_ids, known_at, v_contested_ids
    FROM offline.append_claims(
        p_person_id, p_document_ids, p_payloads, p_signatures, p_payer_key_ids, p_payee_key_ids, p_currencies,
        p_totals_minor, p_are_brought, p_payments, p_piece_nos, v_voucher_ids, p_parent_document_ids, p_firsts, p_pasts
    ) AS appended;
    IF cardinality(v_contested_ids) > 0 THEN
        RAISE EXCEPTION 'a unit is paid twice' USING ERRCODE = 'check_violation', CONSTRAINT = 'claims_are_plain';
    END IF;
END $$;

CREATE FUNCTION offline.kept_for_ever() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    RAISE EXCEPTION 'a % is never deleted', TG_TABLE_NAME
        USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'kept_for_ever';
END $$;

CREATE FUNCTION offline.name_for_ever() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    RAISE EXCEPTION 'a % keeps its name', TG_TABLE_NAME
        USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'name_for_ever';
END $$;

CREATE FUNCTION offline.note_contested() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    -- In the order of their first units, if any two overlap, then a piece overlaps the one before it.
    UPDATE offline.voucher SET is_contested = true
    WHERE voucher_id = ANY(ARRAY(
        SELECT voucher_id
        FROM (
            SELECT voucher.voucher_id, piece.parent_document_id <> voucher.document_id AS is_handed_on,
                lag(upper(piece.units)) OVER (PARTITION BY voucher.voucher_id ORDER BY lower(piece.units))
                    > lower(piece.units) AS is_paid_twice
            FROM offline.voucher
            CROSS JOIN LATERAL (
                SELECT parent_document_id, units FROM offline.piece
                WHERE piece.voucher_id = voucher.voucher_id OFFSET 0
            ) AS piece
            WHERE voucher.voucher_id = ANY(ARRAY(SELECT DISTINCT voucher_id FROM fresh)) AND NOT voucher.is_contested
        ) AS paid
        WHERE is_handed_on OR is_paid_twice
    ));
    RETURN NULL;
END $$;

CREATE FUNCTION offline.notice_cost_nobody() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    IF NOT EXISTS (
            SELECT FROM offline.liability WHERE voucher_id = NEW.voucher_id AND person_id = NEW.person_id
                AND owed_minor = NEW.owed_minor AND from_shares_minor + from_online_minor = owed_minor
        )
        OR EXISTS (
            SELECT FROM offline.liability
            WHERE voucher_id = NEW.voucher_id AND from_shares_minor + from_online_minor < owed_minor
        )
        OR EXISTS (SELECT FROM offline.share WHERE voucher_id = NEW.voucher_id AND top_minor > 0)
        OR EXISTS (SELECT FROM offline.debt WHERE voucher_id = NEW.voucher_id AND person_id = NEW.person_id)
        OR EXISTS (
            SELECT FROM offline.liability WHERE voucher_id <> NEW.voucher_id AND person_id = NEW.person_id
        )
    THEN
        RAISE EXCEPTION 'the double spend of % on voucher % is no notice', NEW.person_id, NEW.voucher_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'notice_cost_nobody';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION offline.piece_of_kept() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh
        WHERE (SELECT count(*) FROM offline.payment WHERE payment.document_id = fresh.document_id) = 0
            OR (SELECT count(*) FROM offline.voucher WHERE voucher.voucher_id = fresh.voucher_id) = 0
    ) THEN
        RAISE EXCEPTION 'a piece is of a payment and of a voucher that are kept'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'piece_of_kept';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION offline.settled_once() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
    IF EXISTS (SELECT FROM offline.settlement WHERE voucher_id = NEW.voucher_id) THEN
        RAISE EXCEPTION 'voucher % is settled already', NEW.voucher_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'settled_once';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION offline.settlement_adds_up() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
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

CREATE FUNCTION offline.share_of_locked_voucher() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
    v_voucher offline.voucher;
BEGIN
    SELECT * INTO v_voucher FROM offline.voucher WHERE voucher_id = NEW.voucher_id;
    IF v_voucher.audience_key_id IS NOT NULL AND (
        NEW.key_id NOT IN (v_voucher.key_id, v_voucher.audience_key_id) OR NEW.shared_minor > 0 OR NEW.top_minor > 0
    ) THEN
        RAISE EXCEPTION 'voucher % is locked: its owner and its audience have a share, and nothing is divided', NEW.voucher_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'locked_units_are_never_shared';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION offline.submission_of_kept() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    IF EXISTS (
        SELECT FROM fresh
        WHERE (SELECT count(*) FROM offline.payment WHERE payment.document_id = fresh.document_id) = 0
    ) THEN
        RAISE EXCEPTION 'what was brought is a payment that is kept'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'submission_of_kept';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION offline.voucher_moves_forward() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
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

CREATE TABLE offline.advance (
    transfer_id uuid NOT NULL,
    voucher_id uuid NOT NULL,
    person_id uuid NOT NULL,
    key_id bytea NOT NULL,
    document_id bytea,
    reason text NOT NULL,
    amount_minor bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT advance_positive CHECK ((amount_minor > 0)),
    CONSTRAINT advance_reason_known CHECK ((reason = ANY (ARRAY['hand_back'::text, 'final'::text]))),
    CONSTRAINT hand_back_has_a_document CHECK (((reason = 'hand_back'::text) = (document_id IS NOT NULL)))
);

CREATE TABLE offline.advance_posted (
    transfer_id uuid NOT NULL,
    posted_at timestamp with time zone NOT NULL
);

CREATE TABLE offline.budget_change (
    device_id uuid NOT NULL,
    change_no integer NOT NULL,
    reason text NOT NULL,
    amount_minor bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT budget_reason_known CHECK ((reason = ANY (ARRAY['granted'::text, 'used'::text, 'returned'::text]))),
    CONSTRAINT only_grants_add CHECK ((((reason = 'granted'::text) = (amount_minor > 0)) AND (amount_minor <> 0)))
);

CREATE TABLE offline.certificate (
    document_id bytea NOT NULL,
    key_id bytea NOT NULL,
    payload bytea NOT NULL,
    signature bytea NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    valid_until timestamp with time zone NOT NULL,
    cover_budget_minor bigint NOT NULL,
    CONSTRAINT certificate_dates_in_order CHECK ((issued_at < valid_until)),
    CONSTRAINT certificate_id_is_32_bytes CHECK ((octet_length(document_id) = 32)),
    CONSTRAINT certificate_is_signed CHECK ((octet_length(signature) = 64))
);

CREATE TABLE offline.challenge (
    challenge_id uuid NOT NULL,
    person_id uuid NOT NULL,
    challenge bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    consumed_at timestamp with time zone,
    CONSTRAINT challenge_is_32_bytes CHECK ((octet_length(challenge) = 32))
);

CREATE TABLE offline.close_attempt (
    voucher_id uuid NOT NULL,
    attempt_no integer NOT NULL,
    plan jsonb NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT attempt_no_from_one CHECK ((attempt_no >= 1))
);

CREATE TABLE offline.close_failure (
    voucher_id uuid NOT NULL,
    failure_count integer DEFAULT 1 NOT NULL,
    first_failed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    last_failed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    error text NOT NULL,
    CONSTRAINT close_error_length CHECK (((char_length(error) >= 1) AND (char_length(error) <= 500))),
    CONSTRAINT failures_from_one CHECK ((failure_count >= 1))
);

CREATE TABLE offline.debt (
    voucher_id uuid NOT NULL,
    person_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT debt_positive CHECK ((amount_minor > 0))
);

CREATE TABLE offline.debt_payment (
    person_id uuid NOT NULL,
    payment_no integer NOT NULL,
    transfer_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT debt_payment_no_from_one CHECK ((payment_no >= 1)),
    CONSTRAINT debt_payment_positive CHECK ((amount_minor > 0))
);

CREATE TABLE offline.device (
    device_id uuid NOT NULL,
    person_id uuid NOT NULL,
    public_key bytea NOT NULL,
    key_id bytea NOT NULL,
    name text NOT NULL,
    shown_name text NOT NULL,
    name_salt bytea NOT NULL,
    receive_only boolean NOT NULL,
    challenge_id uuid NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    budget_minor bigint DEFAULT 0 NOT NULL,
    budget_renewed_at timestamp with time zone NOT NULL,
    CONSTRAINT budget_never_negative CHECK ((budget_minor >= 0)),
    CONSTRAINT device_name_length CHECK (((char_length(name) >= 1) AND (char_length(name) <= 64))),
    CONSTRAINT key_id_is_16_bytes CHECK ((octet_length(key_id) = 16)),
    CONSTRAINT name_salt_is_16_bytes CHECK ((octet_length(name_salt) = 16)),
    CONSTRAINT public_key_is_a_point CHECK ((octet_length(public_key) = 33))
);

CREATE TABLE offline.exposure (
    only_row boolean DEFAULT true NOT NULL,
    total_minor bigint NOT NULL,
    paused boolean NOT NULL,
    measured_at timestamp with time zone NOT NULL,
    CONSTRAINT exposure_never_negative CHECK ((total_minor >= 0)),
    CONSTRAINT one_exposure CHECK (only_row)
);

CREATE TABLE offline.heartbeat (
    only_row boolean DEFAULT true NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    CONSTRAINT one_heartbeat CHECK (only_row)
);

CREATE TABLE offline.holder (
    person_id uuid NOT NULL,
    granted_minor bigint DEFAULT 0 NOT NULL,
    granted_max_minor bigint DEFAULT 0 NOT NULL,
    debt_minor bigint DEFAULT 0 NOT NULL,
    CONSTRAINT certificates_within_tier CHECK ((granted_minor <= granted_max_minor)),
    CONSTRAINT debt_never_negative CHECK ((debt_minor >= 0)),
    CONSTRAINT granted_never_negative CHECK ((granted_minor >= 0))
);

CREATE TABLE offline.liability (
    voucher_id uuid NOT NULL,
    person_id uuid,
    key_id bytea,
    owed_minor bigint NOT NULL,
    from_shares_minor bigint NOT NULL,
    from_online_minor bigint NOT NULL,
    from_guarantee_minor bigint NOT NULL,
    CONSTRAINT liability_of_one_account CHECK ((num_nonnulls(person_id, key_id) = 1)),
    CONSTRAINT liability_positive CHECK ((owed_minor > 0)),
    CONSTRAINT never_taken_above_owed CHECK ((((from_shares_minor + from_online_minor) + from_guarantee_minor) <= owed_minor)),
    CONSTRAINT pots_never_negative CHECK ((LEAST(from_shares_minor, from_online_minor, from_guarantee_minor) >= 0))
);

CREATE TABLE offline.network (
    only_row boolean DEFAULT true NOT NULL,
    net bigint NOT NULL,
    root_key bytea NOT NULL,
    revocation_epoch bigint DEFAULT 0 NOT NULL,
    CONSTRAINT epoch_never_negative CHECK ((revocation_epoch >= 0)),
    CONSTRAINT one_network CHECK (only_row),
    CONSTRAINT root_key_is_a_point CHECK ((octet_length(root_key) = 33))
);

CREATE TABLE offline.notice (
    person_id uuid NOT NULL,
    voucher_id uuid NOT NULL,
    owed_minor bigint NOT NULL,
    proof_count integer NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT notice_has_a_proof CHECK ((proof_count >= 1)),
    CONSTRAINT notice_positive CHECK ((owed_minor > 0))
);

CREATE TABLE offline.outage (
    began_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    moved_count integer NOT NULL,
    CONSTRAINT outage_dates_in_order CHECK ((began_at < ended_at))
);

CREATE TABLE offline.payment (
    document_id bytea NOT NULL,
    payload bytea NOT NULL,
    signature bytea NOT NULL,
    payer_key_id bytea NOT NULL,
    payee_key_id bytea NOT NULL,
    currency integer NOT NULL,
    total_minor bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    brought_by uuid,
    CONSTRAINT payee_key_id_is_16_bytes CHECK ((octet_length(payee_key_id) = 16)),
    CONSTRAINT payer_key_id_is_16_bytes CHECK ((octet_length(payer_key_id) = 16)),
    CONSTRAINT payment_id_is_32_bytes CHECK ((octet_length(document_id) = 32)),
    CONSTRAINT payment_is_signed CHECK ((octet_length(signature) = 64)),
    CONSTRAINT payment_total_positive CHECK ((total_minor > 0))
);

CREATE TABLE offline.payout (
    transfer_id uuid NOT NULL,
    voucher_id uuid NOT NULL,
    person_id uuid,
    key_id bytea,
    amount_minor bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    posted_at timestamp with time zone,
    CONSTRAINT payout_positive CHECK ((amount_minor > 0)),
    CONSTRAINT payout_to_one_account CHECK ((num_nonnulls(person_id, key_id) = 1))
);

CREATE TABLE offline.piece (
    document_id bytea NOT NULL,
    piece_no smallint NOT NULL,
    voucher_id uuid NOT NULL,
    parent_document_id bytea NOT NULL,
    units int8range NOT NULL,
    CONSTRAINT parent_id_is_32_bytes CHECK ((octet_length(parent_document_id) = 32)),
    CONSTRAINT piece_holds_units CHECK ((NOT isempty(units))),
    CONSTRAINT piece_no_from_one CHECK ((piece_no >= 1))
);

CREATE TABLE offline.proof (
    first_id bytea NOT NULL,
    second_id bytea NOT NULL,
    key_id bytea NOT NULL,
    person_id uuid,
    document bytea NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT proof_written_one_way CHECK ((first_id < second_id))
);

CREATE TABLE offline.refusal (
    document_id bytea NOT NULL,
    payment_document_id bytea NOT NULL,
    key_id bytea NOT NULL,
    payload bytea NOT NULL,
    signature bytea NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT refusal_id_is_32_bytes CHECK ((octet_length(document_id) = 32)),
    CONSTRAINT refusal_is_signed CHECK ((octet_length(signature) = 64))
);

CREATE TABLE offline.revocation (
    key_id bytea NOT NULL,
    epoch bigint NOT NULL,
    reason text NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT revocation_reason_known CHECK ((reason = ANY (ARRAY['retired'::text, 'spent_twice'::text])))
);

CREATE TABLE offline.settlement (
    voucher_id uuid NOT NULL,
    attempt_no integer NOT NULL,
    amount_minor bigint NOT NULL,
    released_minor bigint NOT NULL,
    from_online_minor bigint NOT NULL,
    from_operator_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT paid_equals_taken_in CHECK ((paid_minor = (((amount_minor - released_minor) + from_online_minor) + from_operator_minor))),
    CONSTRAINT settlement_never_negative CHECK ((LEAST(amount_minor, released_minor, from_online_minor, from_operator_minor, paid_minor) >= 0))
);

CREATE TABLE offline.share (
    voucher_id uuid NOT NULL,
    key_id bytea NOT NULL,
    person_id uuid,
    home_minor bigint NOT NULL,
    sole_minor bigint NOT NULL,
    shared_minor bigint NOT NULL,
    top_minor bigint NOT NULL,
    claimed_minor bigint NOT NULL,
    CONSTRAINT share_never_negative CHECK ((LEAST(home_minor, sole_minor, shared_minor, top_minor, claimed_minor) >= 0))
);

CREATE TABLE offline.submission (
    document_id bytea NOT NULL,
    person_id uuid NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE offline.voucher (
    voucher_id uuid NOT NULL,
    person_id uuid NOT NULL,
    device_id uuid NOT NULL,
    key_id bytea NOT NULL,
    currency integer NOT NULL,
    units int8range NOT NULL,
    amount_minor bigint NOT NULL,
    state text NOT NULL,
    refused_code text,
    document_id bytea NOT NULL,
    payload bytea NOT NULL,
    signature bytea,
    tier smallint NOT NULL,
    cover_minor bigint NOT NULL,
    issued_at timestamp with time zone NOT NULL,
    spend_by timestamp with time zone NOT NULL,
    claim_by timestamp with time zone NOT NULL,
    released_minor bigint DEFAULT 0 NOT NULL,
    opened_at timestamp with time zone,
    closed_at timestamp with time zone,
    claim_until timestamp with time zone NOT NULL,
    audience_key_id bytea,
    audience_person_id uuid,
    is_contested boolean DEFAULT false NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT audience_is_somebody_else CHECK ((audience_person_id <> person_id)),
    CONSTRAINT claims_never_end_early CHECK ((claim_until >= claim_by)),
    CONSTRAINT closed_when_closed CHECK (((state = 'closed'::text) = (closed_at IS NOT NULL))),
    CONSTRAINT cover_never_negative CHECK ((cover_minor >= 0)),
    CONSTRAINT escrow_equals_loaded CHECK (((upper(units) - lower(units)) = amount_minor)),
    CONSTRAINT locked_without_cover CHECK (((audience_key_id IS NULL) OR (cover_minor = 0))),
    CONSTRAINT never_released_above_escrow CHECK (((released_minor >= 0) AND (released_minor <= amount_minor))),
    CONSTRAINT opened_when_open CHECK (((state = ANY (ARRAY['open'::text, 'closing'::text, 'closed'::text])) = (opened_at IS NOT NULL))),
    CONSTRAINT refused_with_a_code CHECK (((state = 'refused'::text) = (refused_code IS NOT NULL))),
    CONSTRAINT signed_when_open CHECK (((state = ANY (ARRAY['open'::text, 'closing'::text, 'closed'::text])) = (signature IS NOT NULL))),
    CONSTRAINT units_below_2_53 CHECK (((lower(units) >= 0) AND (upper(units) <= '9007199254740992'::bigint))),
    CONSTRAINT voucher_amount_positive CHECK ((amount_minor > 0)),
    CONSTRAINT voucher_dates_in_order CHECK (((issued_at < spend_by) AND (spend_by <= claim_by))),
    CONSTRAINT voucher_signature_is_64_bytes CHECK ((octet_length(signature) = 64)),
    CONSTRAINT voucher_state_known CHECK ((state = ANY (ARRAY['draft'::text, 'refused'::text, 'open'::text, 'closing'::text, 'closed'::text])))
);

ALTER TABLE ONLY offline.advance
    ADD CONSTRAINT advance_pkey PRIMARY KEY (transfer_id);

ALTER TABLE ONLY offline.advance_posted
    ADD CONSTRAINT advance_posted_pkey PRIMARY KEY (transfer_id);

ALTER TABLE ONLY offline.budget_change
    ADD CONSTRAINT budget_change_pkey PRIMARY KEY (device_id, change_no);

ALTER TABLE ONLY offline.certificate
    ADD CONSTRAINT certificate_pkey PRIMARY KEY (document_id);

ALTER TABLE ONLY offline.challenge
    ADD CONSTRAINT challenge_pkey PRIMARY KEY (challenge_id);

ALTER TABLE ONLY offline.close_attempt
    ADD CONSTRAINT close_attempt_pkey PRIMARY KEY (voucher_id, attempt_no);

ALTER TABLE ONLY offline.close_failure
    ADD CONSTRAINT close_failure_pkey PRIMARY KEY (voucher_id);

ALTER TABLE ONLY offline.debt_payment
    ADD CONSTRAINT debt_paid_once UNIQUE (transfer_id);

ALTER TABLE ONLY offline.debt_payment
    ADD CONSTRAINT debt_payment_pkey PRIMARY KEY (person_id, payment_no);

ALTER TABLE ONLY offline.debt
    ADD CONSTRAINT debt_pkey PRIMARY KEY (voucher_id, person_id);

ALTER TABLE ONLY offline.device
    ADD CONSTRAINT device_pkey PRIMARY KEY (device_id);

ALTER TABLE ONLY offline.exposure
    ADD CONSTRAINT exposure_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY offline.advance
    ADD CONSTRAINT hand_back_released_once UNIQUE (document_id, voucher_id);

ALTER TABLE ONLY offline.heartbeat
    ADD CONSTRAINT heartbeat_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY offline.holder
    ADD CONSTRAINT holder_pkey PRIMARY KEY (person_id);

ALTER TABLE ONLY offline.network
    ADD CONSTRAINT network_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY offline.voucher
    ADD CONSTRAINT no_unit_twice EXCLUDE USING gist (int4range(currency, currency, '[]'::text) WITH &&, units WITH &&);

ALTER TABLE ONLY offline.settlement
    ADD CONSTRAINT one_close_per_voucher PRIMARY KEY (voucher_id);

ALTER TABLE ONLY offline.device
    ADD CONSTRAINT one_device_per_key_id UNIQUE (key_id);

ALTER TABLE ONLY offline.revocation
    ADD CONSTRAINT one_key_per_epoch UNIQUE (epoch);

ALTER TABLE ONLY offline.liability
    ADD CONSTRAINT one_liability_per_account UNIQUE NULLS NOT DISTINCT (voucher_id, person_id, key_id);

ALTER TABLE ONLY offline.notice
    ADD CONSTRAINT one_notice_per_person PRIMARY KEY (person_id);

ALTER TABLE ONLY offline.payout
    ADD CONSTRAINT one_payout_per_account UNIQUE NULLS NOT DISTINCT (voucher_id, person_id, key_id);

ALTER TABLE ONLY offline.device
    ADD CONSTRAINT one_person_of_each_key UNIQUE (key_id, person_id);

ALTER TABLE ONLY offline.device
    ADD CONSTRAINT one_person_per_key UNIQUE (public_key);

ALTER TABLE ONLY offline.outage
    ADD CONSTRAINT outage_pkey PRIMARY KEY (began_at);

ALTER TABLE ONLY offline.payment
    ADD CONSTRAINT payment_pkey PRIMARY KEY (document_id);

ALTER TABLE ONLY offline.payout
    ADD CONSTRAINT payout_pkey PRIMARY KEY (transfer_id);

ALTER TABLE ONLY offline.piece
    ADD CONSTRAINT piece_pkey PRIMARY KEY (document_id, piece_no);

ALTER TABLE ONLY offline.proof
    ADD CONSTRAINT proof_pkey PRIMARY KEY (first_id, second_id);

ALTER TABLE ONLY offline.refusal
    ADD CONSTRAINT refusal_pkey PRIMARY KEY (document_id);

ALTER TABLE ONLY offline.revocation
    ADD CONSTRAINT revocation_pkey PRIMARY KEY (key_id);

ALTER TABLE ONLY offline.share
    ADD CONSTRAINT share_pkey PRIMARY KEY (voucher_id, key_id);

ALTER TABLE ONLY offline.submission
    ADD CONSTRAINT submission_pkey PRIMARY KEY (document_id, person_id);

ALTER TABLE ONLY offline.voucher
    ADD CONSTRAINT voucher_document_once UNIQUE (document_id);

ALTER TABLE ONLY offline.voucher
    ADD CONSTRAINT voucher_pkey PRIMARY KEY (voucher_id);

CREATE INDEX advance_by_person ON offline.advance USING btree (person_id);

CREATE INDEX advance_by_voucher ON offline.advance USING btree (voucher_id);

CREATE INDEX certificate_by_key ON offline.certificate USING btree (key_id, issued_at);

CREATE INDEX challenge_by_person ON offline.challenge USING btree (person_id);

CREATE INDEX debt_by_person ON offline.debt USING btree (person_id);

CREATE INDEX device_by_person ON offline.device USING btree (person_id, registered_at);

CREATE INDEX holder_in_debt ON offline.holder USING btree (person_id) WHERE (debt_minor > 0);

CREATE INDEX liability_by_person ON offline.liability USING btree (person_id);

CREATE INDEX payment_by_payee_and_time ON offline.payment USING btree (payee_key_id, recorded_at);

CREATE INDEX payout_by_key ON offline.payout USING btree (key_id, recorded_at) WHERE (key_id IS NOT NULL);

CREATE INDEX payout_by_person ON offline.payout USING btree (person_id, recorded_at);

CREATE INDEX payout_waiting ON offline.payout USING btree (transfer_id) WHERE (posted_at IS NULL);

CREATE INDEX piece_by_voucher ON offline.piece USING btree (voucher_id);

CREATE INDEX proof_by_key ON offline.proof USING btree (key_id);

CREATE INDEX proof_by_person ON offline.proof USING btree (person_id);

CREATE INDEX proof_by_second ON offline.proof USING btree (second_id);

CREATE INDEX refusal_by_payment ON offline.refusal USING btree (payment_document_id);

CREATE INDEX share_by_key ON offline.share USING btree (key_id);

CREATE INDEX share_by_person ON offline.share USING btree (person_id);

CREATE INDEX voucher_by_device ON offline.voucher USING btree (device_id, issued_at);

CREATE INDEX voucher_by_key ON offline.voucher USING btree (key_id);

CREATE INDEX voucher_by_person ON offline.voucher USING btree (person_id, issued_at);

CREATE INDEX voucher_contested ON offline.voucher USING btree (voucher_id) WHERE is_contested;

CREATE INDEX voucher_not_closed ON offline.voucher USING btree (recorded_at) WHERE (state = ANY (ARRAY['open'::text, 'closing'::text]));

CREATE INDEX voucher_to_close ON offline.voucher USING btree (claim_by, voucher_id) WHERE (state = ANY (ARRAY['open'::text, 'closing'::text]));

CREATE TRIGGER claims_begin BEFORE INSERT ON offline.voucher FOR EACH ROW EXECUTE FUNCTION offline.voucher_moves_forward();

CREATE TRIGGER kept_for_ever BEFORE DELETE OR TRUNCATE ON offline.payment FOR EACH STATEMENT EXECUTE FUNCTION offline.kept_for_ever();

CREATE TRIGGER kept_for_ever BEFORE DELETE OR TRUNCATE ON offline.voucher FOR EACH STATEMENT EXECUTE FUNCTION offline.kept_for_ever();

CREATE TRIGGER name_for_ever BEFORE UPDATE OF document_id ON offline.payment FOR EACH STATEMENT EXECUTE FUNCTION offline.name_for_ever();

CREATE TRIGGER name_for_ever BEFORE UPDATE OF voucher_id ON offline.voucher FOR EACH STATEMENT EXECUTE FUNCTION offline.name_for_ever();

CREATE TRIGGER note_contested AFTER INSERT ON offline.piece REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION offline.note_contested();

CREATE CONSTRAINT TRIGGER notice_cost_nobody AFTER INSERT ON offline.notice DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION offline.notice_cost_nobody();

CREATE TRIGGER piece_of_kept AFTER INSERT ON offline.piece REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION offline.piece_of_kept();

CREATE TRIGGER settled_once BEFORE INSERT ON offline.debt FOR EACH ROW EXECUTE FUNCTION offline.settled_once();

CREATE TRIGGER settled_once BEFORE INSERT ON offline.liability FOR EACH ROW EXECUTE FUNCTION offline.settled_once();

CREATE TRIGGER settled_once BEFORE INSERT ON offline.notice FOR EACH ROW EXECUTE FUNCTION offline.settled_once();

CREATE TRIGGER settled_once BEFORE INSERT ON offline.payout FOR EACH ROW EXECUTE FUNCTION offline.settled_once();

CREATE TRIGGER settled_once BEFORE INSERT ON offline.share FOR EACH ROW EXECUTE FUNCTION offline.settled_once();

CREATE TRIGGER settlement_adds_up AFTER INSERT ON offline.settlement FOR EACH ROW EXECUTE FUNCTION offline.settlement_adds_up();

CREATE TRIGGER share_of_locked_voucher BEFORE INSERT ON offline.share FOR EACH ROW EXECUTE FUNCTION offline.share_of_locked_voucher();

CREATE TRIGGER submission_of_kept AFTER INSERT ON offline.submission REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION offline.submission_of_kept();

CREATE TRIGGER voucher_moves_forward BEFORE UPDATE ON offline.voucher FOR EACH ROW EXECUTE FUNCTION offline.voucher_moves_forward();

ALTER TABLE ONLY offline.advance
    ADD CONSTRAINT advance_document_id_fkey FOREIGN KEY (document_id) REFERENCES offline.payment(document_id);

ALTER TABLE ONLY offline.advance
    ADD CONSTRAINT advance_person_id_fkey FOREIGN KEY (person_id) REFERENCES offline.holder(person_id);

ALTER TABLE ONLY offline.advance_posted
    ADD CONSTRAINT advance_posted_transfer_id_fkey FOREIGN KEY (transfer_id) REFERENCES offline.advance(transfer_id);

ALTER TABLE ONLY offline.advance
    ADD CONSTRAINT advance_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES offline.voucher(voucher_id);

ALTER TABLE ONLY offline.voucher
    ADD CONSTRAINT audience_is_registered FOREIGN KEY (audience_key_id, audience_person_id) REFERENCES offline.device(key_id, person_id) MATCH FULL;

ALTER TABLE ONLY offline.budget_change
    ADD CONSTRAINT budget_change_device_id_fkey FOREIGN KEY (device_id) REFERENCES offline.device(device_id);

ALTER TABLE ONLY offline.close_attempt
    ADD CONSTRAINT close_attempt_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES offline.voucher(voucher_id);

ALTER TABLE ONLY offline.close_failure
    ADD CONSTRAINT close_failure_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES offline.voucher(voucher_id);

ALTER TABLE ONLY offline.debt_payment
    ADD CONSTRAINT debt_payment_person_id_fkey FOREIGN KEY (person_id) REFERENCES offline.holder(person_id);

ALTER TABLE ONLY offline.debt
    ADD CONSTRAINT debt_person_id_fkey FOREIGN KEY (person_id) REFERENCES offline.holder(person_id);

ALTER TABLE ONLY offline.debt
    ADD CONSTRAINT debt_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES offline.voucher(voucher_id);

ALTER TABLE ONLY offline.device
    ADD CONSTRAINT device_person_id_fkey FOREIGN KEY (person_id) REFERENCES offline.holder(person_id);

ALTER TABLE ONLY offline.liability
    ADD CONSTRAINT liability_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES offline.voucher(voucher_id);

ALTER TABLE ONLY offline.notice
    ADD CONSTRAINT notice_person_id_fkey FOREIGN KEY (person_id) REFERENCES offline.holder(person_id);

ALTER TABLE ONLY offline.notice
    ADD CONSTRAINT notice_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES offline.voucher(voucher_id);

ALTER TABLE ONLY offline.payout
    ADD CONSTRAINT payout_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES offline.voucher(voucher_id);

ALTER TABLE ONLY offline.proof
    ADD CONSTRAINT proof_first_id_fkey FOREIGN KEY (first_id) REFERENCES offline.payment(document_id);

ALTER TABLE ONLY offline.proof
    ADD CONSTRAINT proof_second_id_fkey FOREIGN KEY (second_id) REFERENCES offline.payment(document_id);

ALTER TABLE ONLY offline.refusal
    ADD CONSTRAINT refusal_payment_document_id_fkey FOREIGN KEY (payment_document_id) REFERENCES offline.payment(document_id);

ALTER TABLE ONLY offline.settlement
    ADD CONSTRAINT settlement_voucher_id_attempt_no_fkey FOREIGN KEY (voucher_id, attempt_no) REFERENCES offline.close_attempt(voucher_id, attempt_no);

ALTER TABLE ONLY offline.share
    ADD CONSTRAINT share_voucher_id_fkey FOREIGN KEY (voucher_id) REFERENCES offline.voucher(voucher_id);

ALTER TABLE ONLY offline.voucher
    ADD CONSTRAINT voucher_device_id_fkey FOREIGN KEY (device_id) REFERENCES offline.device(device_id);

ALTER TABLE ONLY offline.voucher
    ADD CONSTRAINT voucher_person_id_fkey FOREIGN KEY (person_id) REFERENCES offline.holder(person_id);

GRANT USAGE ON SCHEMA offline TO tikiwallet_offline;

REVOKE ALL ON FUNCTION offline.append_claims(p_person_id uuid, p_document_ids bytea, p_payloads bytea[], p_signatures bytea, p_payer_key_ids bytea, p_payee_key_ids bytea, p_currencies integer[], p_totals_minor bigint[], p_are_brought boolean[], p_payments integer[], p_piece_nos smallint[], p_voucher_ids uuid[], p_parent_document_ids bytea, p_firsts bigint[], p_pasts bigint[], OUT new_ids bytea[], OUT known_at timestamp with time zone, OUT contested_ids uuid[]) FROM PUBLIC;
GRANT ALL ON FUNCTION offline.append_claims(p_person_id uuid, p_document_ids bytea, p_payloads bytea[], p_signatures bytea, p_payer_key_ids bytea, p_payee_key_ids bytea, p_currencies integer[], p_totals_minor bigint[], p_are_brought boolean[], p_payments integer[], p_piece_nos smallint[], p_voucher_ids uuid[], p_parent_document_ids bytea, p_firsts bigint[], p_pasts bigint[], OUT new_ids bytea[], OUT known_at timestamp with time zone, OUT contested_ids uuid[]) TO tikiwallet_offline;

REVOKE ALL ON FUNCTION offline.append_plain_claims(p_person_id uuid, p_document_ids bytea, p_payloads bytea[], p_signatures bytea, p_payer_key_ids bytea, p_payee_key_ids bytea, p_currencies integer[], p_totals_minor bigint[], p_are_brought boolean[], p_payments integer[], p_piece_nos smallint[], p_parent_document_ids bytea, p_firsts bigint[], p_pasts bigint[], OUT new_ids bytea[], OUT known_at timestamp with time zone, OUT claims_until timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION offline.append_plain_claims(p_person_id uuid, p_document_ids bytea, p_payloads bytea[], p_signatures bytea, p_payer_key_ids bytea, p_payee_key_ids bytea, p_currencies integer[], p_totals_minor bigint[], p_are_brought boolean[], p_payments integer[], p_piece_nos smallint[], p_parent_document_ids bytea, p_firsts bigint[], p_pasts bigint[], OUT new_ids bytea[], OUT known_at timestamp with time zone, OUT claims_until timestamp with time zone) TO tikiwallet_offline;

REVOKE ALL ON FUNCTION offline.note_contested() FROM PUBLIC;

GRANT SELECT,INSERT ON TABLE offline.advance TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.advance_posted TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.budget_change TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.certificate TO tikiwallet_offline;

GRANT SELECT,INSERT,DELETE ON TABLE offline.challenge TO tikiwallet_offline;

GRANT UPDATE(consumed_at) ON TABLE offline.challenge TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.close_attempt TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.close_failure TO tikiwallet_offline;

GRANT UPDATE(failure_count) ON TABLE offline.close_failure TO tikiwallet_offline;

GRANT UPDATE(last_failed_at) ON TABLE offline.close_failure TO tikiwallet_offline;

GRANT UPDATE(error) ON TABLE offline.close_failure TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.debt TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.debt_payment TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.device TO tikiwallet_offline;

GRANT UPDATE(retired_at) ON TABLE offline.device TO tikiwallet_offline;

GRANT UPDATE(budget_minor) ON TABLE offline.device TO tikiwallet_offline;

GRANT UPDATE(budget_renewed_at) ON TABLE offline.device TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.exposure TO tikiwallet_offline;

GRANT UPDATE(total_minor) ON TABLE offline.exposure TO tikiwallet_offline;

GRANT UPDATE(paused) ON TABLE offline.exposure TO tikiwallet_offline;

GRANT UPDATE(measured_at) ON TABLE offline.exposure TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.heartbeat TO tikiwallet_offline;

GRANT UPDATE(beat_at) ON TABLE offline.heartbeat TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.holder TO tikiwallet_offline;

GRANT UPDATE(granted_minor) ON TABLE offline.holder TO tikiwallet_offline;

GRANT UPDATE(granted_max_minor) ON TABLE offline.holder TO tikiwallet_offline;

GRANT UPDATE(debt_minor) ON TABLE offline.holder TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.liability TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.network TO tikiwallet_offline;

GRANT UPDATE(revocation_epoch) ON TABLE offline.network TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.notice TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.outage TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.payment TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.payout TO tikiwallet_offline;

GRANT UPDATE(posted_at) ON TABLE offline.payout TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.piece TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.proof TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.refusal TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.revocation TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.settlement TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.share TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.submission TO tikiwallet_offline;

GRANT SELECT,INSERT ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(state) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(refused_code) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(document_id) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(payload) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(signature) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(tier) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(cover_minor) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(issued_at) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(spend_by) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(claim_by) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(released_minor) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(opened_at) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(closed_at) ON TABLE offline.voucher TO tikiwallet_offline;

GRANT UPDATE(claim_until) ON TABLE offline.voucher TO tikiwallet_offline;
