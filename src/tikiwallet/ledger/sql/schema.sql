-- Made by `make schema`. The source is sql/migrations/.
CREATE SCHEMA ledger;

CREATE FUNCTION ledger.chain_audit_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION ledger.correction_is_decided_once() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'correction % was decided', OLD.correction_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'correction_is_decided_once';
END $$;

CREATE FUNCTION ledger.correction_never_touches_promised_money() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

CREATE FUNCTION ledger.post_batch(p_transfer_ids uuid[], p_debit_ids uuid[], p_credit_ids uuid[], p_amounts_minor bigint[], p_currencies text[], p_kinds text[], p_notes text[], p_linked boolean, OUT outcomes text[], OUT posted_ats timestamp with time zone[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_count int := cardinality(p_transfer_ids);
    v_now timestamptz;
    v_today date;
    -- The locked accounts in the order of their ids, as they change while we judge.
    a_ids uuid[];
    a_currencies text[];
    a_balances bigint[];
    a_counts bigint[];
    a_mins bigint[];
    a_maxes bigint[];
    a_out_maxes bigint[];
    a_out_days date[];
    a_outs bigint[];
    a_closed boolean[];
    -- For each transfer: where its accounts and the first use of its id stand, and what the books know of the id.
    t_debits int[];
    t_credits int[];
    t_firsts int[];
    t_known text[];
    t_known_ats timestamptz[];
    -- For each first use of an id: which transfer of this batch posted it.
    t_posted_by int[] := array_fill(NULL::int, ARRAY[v_count]);
    -- For each transfer that is posted now: number and balance of its two postings.
    t_debit_nos bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
    t_debit_balances bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
    t_credit_nos bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
    t_credit_balances bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
    v_debit int;
    v_credit int;
    v_by int;
    v_amount bigint;
    v_out bigint;
    v_outcome text;
    v_fault int;
    v_posted bigint := 0;
    v_row_count bigint;
BEGIN
    outcomes := array_fill(NULL::text, ARRAY[v_count]);
    posted_ats := array_fill(NULL::timestamptz, ARRAY[v_count]);

    SELECT array_agg(account_id), array_agg(currency), array_agg(balance_minor), array_agg(posting_count),
        array_agg(balance_min_minor), array_agg(balance_max_minor), array_agg(out_per_day_max_minor),
        array_agg(out_day), array_agg(out_day_minor), array_agg(closed_at IS NOT NULL)
    INTO a_ids, a_currencies, a_balances, a_counts, a_mins, a_maxes, a_out_maxes, a_out_days, a_outs, a_closed
    FROM (
        SELECT * FROM ledger.account WHERE account_id = ANY(p_debit_ids || p_credit_ids)
        ORDER BY account_id FOR NO KEY UPDATE
    ) AS locked;
    v_now := clock_timestamp();
    v_today := (v_now AT TIME ZONE 'UTC')::date;

    SELECT array_agg(debit_index), array_agg(credit_index), array_agg(first_index), array_agg(known),
        array_agg(known_at)
    INTO t_debits, t_credits, t_firsts, t_known, t_known_ats
    FROM (
        SELECT d.index AS debit_index, c.index AS credit_index, t.first_index, p.posted_at AS known_at,
            CASE
                WHEN p.account_id IS NULL THEN NULL
                WHEN (p.account_id, p.other_account_id, -p.amount_minor, d.currency, p.kind, p.note)
                    = (t.debit_id, t.credit_id, t.amount_minor, t.currency, t.kind, t.note) THEN 'already_posted'
                ELSE 'differs_from_posted'
            END AS known
        FROM (
            SELECT *, min(index) OVER (PARTITION BY transfer_id) AS first_index
            FROM unnest(p_transfer_ids, p_debit_ids, p_credit_ids, p_amounts_minor, p_currencies, p_kinds, p_notes)
                WITH ORDINALITY AS u (transfer_id, debit_id, credit_id, amount_minor, currency, kind, note, index)
        ) AS t
        LEFT JOIN unnest(a_ids, a_currencies) WITH ORDINALITY AS d (account_id, currency, index)
            ON d.account_id = t.debit_id
        LEFT JOIN unnest(a_ids) WITH ORDINALITY AS c (account_id, index) ON c.account_id = t.credit_id
        -- One probe of the index an id, whatever the planner thinks of the size of the table.
        LEFT JOIN LATERAL (
            SELECT * FROM ledger.posting AS q WHERE q.transfer_id = t.transfer_id AND q.amount_minor < 0 LIMIT 1
        ) AS p ON true
        ORDER BY t.index
    ) AS looked_up;

    FOR i IN 1..v_count LOOP
        v_debit := t_debits[i];
        v_credit := t_credits[i];
        v_by := t_posted_by[t_firsts[i]];
        v_amount := p_amounts_minor[i];
        IF t_known[i] IS NOT NULL THEN
            v_outcome := t_known[i];
            IF v_outcome = 'already_posted' THEN posted_ats[i] := t_known_ats[i]; END IF;
        ELSIF v_by IS NOT NULL THEN
            IF (p_debit_ids[i], p_credit_ids[i], v_amount, p_currencies[i], p_kinds[i], p_notes[i])
                = (p_debit_ids[v_by], p_credit_ids[v_by], p_amounts_minor[v_by], p_currencies[v_by], p_kinds[v_by],
                    p_notes[v_by])
            THEN
                v_outcome := 'already_posted';
                posted_ats[i] := v_now;
            ELSE
                v_outcome := 'differs_from_posted';
            END IF;
        ELSIF v_debit IS NULL OR v_credit IS NULL THEN
            v_outcome := 'account_unknown';
        ELSIF a_currencies[v_debit] <> p_currencies[i] OR a_currencies[v_credit] <> p_currencies[i] THEN
            v_outcome := 'currency_differs';
        ELSIF a_closed[v_debit] OR a_closed[v_credit] THEN
            v_outcome := 'account_closed';
        ELSIF a_balances[v_debit] - v_amount < a_mins[v_debit] THEN
            v_outcome := 'insufficient_funds';
        ELSE
            v_out := CASE WHEN a_out_days[v_debit] = v_today THEN a_outs[v_debit] ELSE 0 END + v_amount;
            IF v_out > a_out_maxes[v_debit]
                OR a_balances[v_debit] - v_amount < -1000000000000000000
                OR a_balances[v_credit] + v_amount > least(a_maxes[v_credit], 1000000000000000000)
            THEN
                v_outcome := 'limit_exceeded';
            ELSE
                v_outcome := 'posted';
                v_posted := v_posted + 1;
                posted_ats[i] := v_now;
                t_posted_by[t_firsts[i]] := i;
                a_out_days[v_debit] := v_today;
                a_outs[v_debit] := least(v_out, 1000000000000000000);
                a_balances[v_debit] := a_balances[v_debit] - v_amount;
                a_counts[v_debit] := a_counts[v_debit] + 1;
                a_balances[v_credit] := a_balances[v_credit] + v_amount;
                a_counts[v_credit] := a_counts[v_credit] + 1;
                t_debit_balances[i] := a_balances[v_debit];
                t_debit_nos[i] := a_counts[v_debit];
                t_credit_balances[i] := a_balances[v_credit];
                t_credit_nos[i] := a_counts[v_credit];
            END IF;
        END IF;
        outcomes[i] := v_outcome;
        IF p_linked AND v_outcome NOT IN ('posted', 'already_posted') THEN
            v_fault := i;
            EXIT;
        END IF;
    END LOOP;

    IF v_fault IS NOT NULL THEN
        FOR i IN 1..v_count LOOP
            IF i = v_fault THEN
                CONTINUE;
            ELSIF t_known[i] = 'already_posted' THEN
                outcomes[i] := 'already_posted';
                posted_ats[i] := t_known_ats[i];
            ELSE
                outcomes[i] := 'linked_refused';
                posted_ats[i] := NULL;
            END IF;
        END LOOP;
        RETURN;
    END IF;
    IF v_posted = 0 THEN
        RETURN;
    END IF;

    INSERT INTO ledger.posting (
        account_id, posting_no, transfer_id, other_account_id, amount_minor, balance_minor, posted_at, kind, note
    )
    SELECT leg.account_id, leg.posting_no, t.transfer_id, leg.other_account_id, leg.amount_minor, leg.balance_minor,
        v_now, t.kind, t.note
    FROM unnest(
        p_transfer_ids, p_debit_ids, p_credit_ids, p_amounts_minor, p_kinds, p_notes, t_debit_nos, t_debit_balances,
        t_credit_nos, t_credit_balances
    ) AS t (
        transfer_id, debit_id, credit_id, amount_minor, kind, note, debit_no, debit_balance, credit_no, credit_balance
    )
    CROSS JOIN LATERAL (
        VALUES (t.debit_id, t.debit_no, t.credit_id, -t.amount_minor, t.debit_balance),
            (t.credit_id, t.credit_no, t.debit_id, t.amount_minor, t.credit_balance)
    ) AS leg (account_id, posting_no, other_account_id, amount_minor, balance_minor)
    WHERE t.debit_no IS NOT NULL
    ORDER BY t.transfer_id
    ON CONFLICT (transfer_id) WHERE amount_minor < 0 DO NOTHING;
    GET DIAGNOSTICS v_row_count = ROW_COUNT;
    IF v_row_count <> 2 * v_posted THEN
        RAISE EXCEPTION 'another session posted an id of this batch meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;

    UPDATE ledger.account AS a SET
        balance_minor = u.balance_minor, posting_count = u.posting_count, out_day = u.out_day,
        out_day_minor = u.out_day_minor
    FROM unnest(a_ids, a_balances, a_counts, a_out_days, a_outs)
        AS u (account_id, balance_minor, posting_count, out_day, out_day_minor)
    WHERE a.account_id = u.account_id AND a.posting_count <> u.posting_count;
END $$;

CREATE FUNCTION ledger.post_batch(p_account_ids uuid[], p_transfer_ids uuid[], p_firsts integer[], p_debits integer[], p_credits integer[], p_amounts_minor bigint[], p_currencies text[], p_kinds text[], p_notes text[], p_linked boolean, OUT outcomes text[], OUT posted_at timestamp with time zone, OUT known_ats timestamp with time zone[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
    v_count int := cardinality(p_transfer_ids);
    v_today date;
    v_month date;                      -- its first day
    -- The locked accounts in the order of p_account_ids, as they change while we judge.
    a_ids uuid[];
    a_tids tid[];                      -- nobody can move a row while we hold its lock
    a_currencies text[];
    a_balances bigint[];
    a_counts bigint[];
    a_counts_before bigint[];
    a_mins bigint[];
    a_maxes bigint[];
    a_out_maxes bigint[];
    a_out_days date[];
    a_outs bigint[];
    a_month_maxes bigint[];
    a_months bigint[];
    a_closed boolean[];
    -- For each transfer: what the books know of its id. Null if they know none of the batch.
    t_known text[];
    -- For each first use of an id: which transfer of this batch posted it.
    t_posted_by int[] := array_fill(NULL::int, ARRAY[v_count]);
    -- For each transfer that is posted now: number and balance of its two postings.
    t_debit_nos bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
    t_debit_balances bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
    t_credit_nos bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
    t_credit_balances bigint[] := array_fill(NULL::bigint, ARRAY[v_count]);
    v_debit int;
    v_credit int;
    v_by int;
    v_amount bigint;
    v_out bigint;
    v_month_out bigint;
    v_outcome text;
    v_fault int;
    v_posted bigint := 0;
    v_counted bigint;
    v_constraint text;
BEGIN
    outcomes := array_fill(NULL::text, ARRAY[v_count]);

    SELECT array_agg(account_id), array_agg(tid), array_agg(currency), array_agg(balance_minor),
        array_agg(posting_count), array_agg(balance_min_minor), array_agg(balance_max_minor),
        array_agg(out_per_day_max_minor), array_agg(out_day), array_agg(out_day_minor),
        array_agg(out_per_month_max_minor), array_agg(out_month_minor), array_agg(closed_at IS NOT NULL)
    INTO a_ids, a_tids, a_currencies, a_balances, a_counts, a_mins, a_maxes, a_out_maxes, a_out_days, a_outs,
        a_month_maxes, a_months, a_closed
    FROM (
        SELECT ctid AS tid, * FROM ledger.account WHERE account_id = ANY(p_account_ids)
        ORDER BY account_id FOR NO KEY UPDATE
    ) AS locked;
    posted_at := clock_timestamp();
    v_today := (posted_at AT TIME ZONE 'UTC')::date;
    v_month := date_trunc('month', v_today::timestamp)::date;
    IF a_ids IS DISTINCT FROM p_account_ids THEN  -- some don't exist: a gap in each list for each of them
        SELECT array_agg(a.tid ORDER BY w.number), array_agg(a.currency ORDER BY w.number),
            array_agg(a.balance ORDER BY w.number), array_agg(a.posting_count ORDER BY w.number),
            array_agg(a.min ORDER BY w.number), array_agg(a.max ORDER BY w.number),
            array_agg(a.out_max ORDER BY w.number), array_agg(a.out_day ORDER BY w.number),
            array_agg(a.out ORDER BY w.number), array_agg(a.month_max ORDER BY w.number),
            array_agg(a.month ORDER BY w.number), array_agg(a.closed ORDER BY w.number)
        INTO a_tids, a_currencies, a_balances, a_counts, a_mins, a_maxes, a_out_maxes, a_out_days, a_outs,
            a_month_maxes, a_months, a_closed
        FROM unnest(p_account_ids) WITH ORDINALITY AS w (account_id, number)
        LEFT JOIN unnest(
            a_ids, a_tids, a_currencies, a_balances, a_counts, a_mins, a_maxes, a_out_maxes, a_out_days, a_outs,
            a_month_maxes, a_months, a_closed
        ) AS a (
            account_id, tid, currency, balance, posting_count, min, max, out_max, out_day, out, month_max, month, closed
        )
            ON a.account_id = w.account_id;
        a_ids := p_account_ids;
    END IF;
    a_counts_before := a_counts;

    PERFORM FROM ledger.posting AS p WHERE p.transfer_id = ANY(p_transfer_ids) AND p.amount_minor < 0;
    IF FOUND THEN
        SELECT array_agg(p.posted_at ORDER BY t.index), array_agg(
            CASE
                WHEN p.account_id IS NULL THEN NULL
                WHEN (p.account_id, p.other_account_id, -p.amount_minor, a_currencies[t.debit], p.kind, p.note)
                    = (a_ids[t.debit], a_ids[t.credit], t.amount_minor, t.currency, t.kind, t.note)
                    THEN 'already_posted'
                ELSE 'differs_from_posted'
            END ORDER BY t.index
        )
        INTO known_ats, t_known
        FROM unnest(p_transfer_ids, p_debits, p_credits, p_amounts_minor, p_currencies, p_kinds, p_notes)
            WITH ORDINALITY AS t (transfer_id, debit, credit, amount_minor, currency, kind, note, index)
        -- One probe of the index an id, whatever the planner thinks of the size of the table.
        LEFT JOIN LATERAL (
            SELECT * FROM ledger.posting AS q WHERE q.transfer_id = t.transfer_id AND q.amount_minor < 0 LIMIT 1
        ) AS p ON true;
    END IF;

    FOR i IN 1..v_count LOOP
        v_debit := p_debits[i];
        v_credit := p_credits[i];
        v_by := t_posted_by[p_firsts[i]];
        v_amount := p_amounts_minor[i];
        IF t_known[i] IS NOT NULL THEN
            v_outcome := t_known[i];
        ELSIF v_by IS NOT NULL THEN
            IF (v_debit, v_credit, v_amount, p_currencies[i], p_kinds[i], p_notes[i])
                = (p_debits[v_by], p_credits[v_by], p_amounts_minor[v_by], p_currencies[v_by], p_kinds[v_by],
                    p_notes[v_by])
            THEN
                v_outcome := 'already_posted';
            ELSE
                v_outcome := 'differs_from_posted';
            END IF;
        ELSIF a_currencies[v_debit] IS NULL OR a_currencies[v_credit] IS NULL THEN
            v_outcome := 'account_unknown';
        ELSIF a_currencies[v_debit] <> p_currencies[i] OR a_currencies[v_credit] <> p_currencies[i] THEN
            v_outcome := 'currency_differs';
        ELSIF a_closed[v_debit] OR a_closed[v_credit] THEN
            v_outcome := 'account_closed';
        ELSIF a_balances[v_debit] - v_amount < a_mins[v_debit] THEN
            v_outcome := 'insufficient_funds';
        ELSE
            v_out := CASE WHEN a_out_days[v_debit] = v_today THEN a_outs[v_debit] ELSE 0 END + v_amount;
            v_month_out := CASE WHEN a_out_days[v_debit] >= v_month THEN a_months[v_debit] ELSE 0 END + v_amount;
            IF v_out > a_out_maxes[v_debit]
                OR v_month_out > a_month_maxes[v_debit]
                OR a_balances[v_debit] - v_amount < -1000000000000000000
                OR a_balances[v_credit] + v_amount > least(a_maxes[v_credit], 1000000000000000000)
            THEN
                v_outcome := 'limit_exceeded';
            ELSE
                v_outcome := 'posted';
                v_posted := v_posted + 1;
                t_posted_by[p_firsts[i]] := i;
                a_out_days[v_debit] := v_today;
                a_outs[v_debit] := least(v_out, 1000000000000000000);
                a_months[v_debit] := least(v_month_out, 1000000000000000000);
                a_balances[v_debit] := a_balances[v_debit] - v_amount;
                a_counts[v_debit] := a_counts[v_debit] + 1;
                a_balances[v_credit] := a_balances[v_credit] + v_amount;
                a_counts[v_credit] := a_counts[v_credit] + 1;
                t_debit_balances[i] := a_balances[v_debit];
                t_debit_nos[i] := a_counts[v_debit];
                t_credit_balances[i] := a_balances[v_credit];
                t_credit_nos[i] := a_counts[v_credit];
            END IF;
        END IF;
        outcomes[i] := v_outcome;
        IF p_linked AND v_outcome NOT IN ('posted', 'already_posted') THEN
            v_fault := i;
            EXIT;
        END IF;
    END LOOP;

    IF v_fault IS NOT NULL THEN
        FOR i IN 1..v_count LOOP
            IF i <> v_fault THEN
                outcomes[i] := CASE WHEN t_known[i] = 'already_posted' THEN t_known[i] ELSE 'linked_refused' END;
            END IF;
        END LOOP;
        RETURN;
    END IF;
    IF v_posted = 0 THEN
        RETURN;
    END IF;

    BEGIN
        INSERT INTO ledger.posting (
            account_id, posting_no, transfer_id, other_account_id, amount_minor, balance_minor, posted_at, kind, note
        )
        SELECT leg.account_id, leg.posting_no, t.transfer_id, leg.other_account_id, leg.amount_minor,
            leg.balance_minor, post_batch.posted_at, t.kind, t.note
        FROM (
            SELECT * FROM unnest(
                p_transfer_ids, p_debits, p_credits, p_amounts_minor, p_kinds, p_notes, t_debit_nos, t_debit_balances,
                t_credit_nos, t_credit_balances
            ) AS u (
                transfer_id, debit, credit, amount_minor, kind, note, debit_no, debit_balance, credit_no,
                credit_balance
            )
            WHERE debit_no IS NOT NULL
            ORDER BY transfer_id
        ) AS t
        CROSS JOIN LATERAL (
            VALUES (a_ids[t.debit], t.debit_no, a_ids[t.credit], -t.amount_minor, t.debit_balance),
                (a_ids[t.credit], t.credit_no, a_ids[t.debit], t.amount_minor, t.credit_balance)
        ) AS leg (account_id, posting_no, other_account_id, amount_minor, balance_minor);
    EXCEPTION WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
        IF v_constraint = 'transfer_posted_once' THEN
            RAISE EXCEPTION 'another session posted an id of this batch meanwhile'
                USING ERRCODE = 'serialization_failure';
        END IF;
        RAISE;
    END;

    WITH written AS (
        UPDATE ledger.account AS a SET
            balance_minor = u.balance_minor, posting_count = u.posting_count, out_day = u.out_day,
            out_day_minor = u.out_day_minor, out_month_minor = u.out_month_minor
        FROM unnest(a_tids, a_ids, a_balances, a_counts, a_counts_before, a_out_days, a_outs, a_months) AS u (
            tid, account_id, balance_minor, posting_count, posting_count_before, out_day, out_day_minor,
            out_month_minor
        )
        WHERE a.ctid = u.tid AND a.account_id = u.account_id AND u.posting_count <> u.posting_count_before
        RETURNING u.posting_count - u.posting_count_before AS posted
    )
    SELECT sum(posted) INTO v_counted FROM written;
    IF v_counted IS DISTINCT FROM 2 * v_posted THEN
        RAISE EXCEPTION 'postings were written, but not all of their accounts' USING ERRCODE = 'assert_failure';
    END IF;
END $$;

CREATE FUNCTION ledger.post_one(p_transfer_id uuid, p_debit_id uuid, p_credit_id uuid, p_amount_minor bigint, p_currency text, p_kind text, p_note text, OUT outcome text, OUT posted_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    v_account ledger.account;
    v_debit ledger.account;
    v_credit ledger.account;
    v_known ledger.posting;
    v_now timestamptz;
    v_today date;
    v_out_minor bigint;
    v_out_month_minor bigint;
    v_row_count bigint;
BEGIN
    FOR v_account IN
        SELECT * FROM ledger.account WHERE account_id IN (p_debit_id, p_credit_id)
        ORDER BY account_id FOR NO KEY UPDATE
    LOOP
        IF v_account.account_id = p_debit_id THEN v_debit := v_account; END IF;
        IF v_account.account_id = p_credit_id THEN v_credit := v_account; END IF;
    END LOOP;

    SELECT * INTO v_known FROM ledger.posting AS p WHERE p.transfer_id = p_transfer_id AND p.amount_minor < 0;
    IF FOUND THEN
        IF (v_known.account_id, v_known.other_account_id, -v_known.amount_minor, v_known.kind, v_known.note)
            = (p_debit_id, p_credit_id, p_amount_minor, p_kind, p_note) AND v_debit.currency = p_currency
        THEN
            outcome := 'already_posted';
            posted_at := v_known.posted_at;
        ELSE
            outcome := 'differs_from_posted';
        END IF;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    v_today := (v_now AT TIME ZONE 'UTC')::date;
    v_out_minor := CASE WHEN v_debit.out_day = v_today THEN v_debit.out_day_minor ELSE 0 END + p_amount_minor;
    v_out_month_minor := p_amount_minor
        + CASE WHEN v_debit.out_day >= date_trunc('month', v_today::timestamp) THEN v_debit.out_month_minor ELSE 0 END;
    outcome := CASE
        WHEN v_debit.account_id IS NULL OR v_credit.account_id IS NULL THEN 'account_unknown'
        WHEN v_debit.currency <> p_currency OR v_credit.currency <> p_currency THEN 'currency_differs'
        WHEN v_debit.closed_at IS NOT NULL OR v_credit.closed_at IS NOT NULL THEN 'account_closed'
        WHEN v_debit.balance_minor - p_amount_minor < v_debit.balance_min_minor THEN 'insufficient_funds'
        WHEN v_out_minor > v_debit.out_per_day_max_minor THEN 'limit_exceeded'
        WHEN v_out_month_minor > v_debit.out_per_month_max_minor THEN 'limit_exceeded'
        WHEN v_debit.balance_minor - p_amount_minor < -1000000000000000000 THEN 'limit_exceeded'
        WHEN v_credit.balance_minor + p_amount_minor > least(v_credit.balance_max_minor, 1000000000000000000)
            THEN 'limit_exceeded'
        ELSE 'posted'
    END;
    IF outcome <> 'posted' THEN
        RETURN;
    END IF;

    posted_at := v_now;
    INSERT INTO ledger.posting (
        account_id, posting_no, transfer_id, other_account_id, amount_minor, balance_minor, posted_at, kind, note
    )
    VALUES
        (p_debit_id, v_debit.posting_count + 1, p_transfer_id, p_credit_id, -p_amount_minor,
            v_debit.balance_minor - p_amount_minor, v_now, p_kind, p_note),
        (p_credit_id, v_credit.posting_count + 1, p_transfer_id, p_debit_id, p_amount_minor,
            v_credit.balance_minor + p_amount_minor, v_now, p_kind, p_note)
    ON CONFLICT (transfer_id) WHERE amount_minor < 0 DO NOTHING;
    GET DIAGNOSTICS v_row_count = ROW_COUNT;
    IF v_row_count <> 2 THEN
        RAISE EXCEPTION 'another session posted this id meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    UPDATE ledger.account AS a SET
        balance_minor = a.balance_minor
            + CASE WHEN a.account_id = p_debit_id THEN -p_amount_minor ELSE p_amount_minor END,
        posting_count = a.posting_count + 1,
        -- Held at the top of its range: every limit is at or below it, so a sum that was cut still refuses.
        out_day = CASE WHEN a.account_id = p_debit_id THEN v_today ELSE a.out_day END,
        out_day_minor =
            CASE WHEN a.account_id = p_debit_id THEN least(v_out_minor, 1000000000000000000) ELSE a.out_day_minor END,
        out_month_minor = CASE
            WHEN a.account_id = p_debit_id THEN least(v_out_month_minor, 1000000000000000000)
            ELSE a.out_month_minor
        END
    WHERE a.account_id IN (p_debit_id, p_credit_id);
    GET DIAGNOSTICS v_row_count = ROW_COUNT;
    IF v_row_count <> 2 THEN
        RAISE EXCEPTION 'postings were written, but not both of their accounts' USING ERRCODE = 'assert_failure';
    END IF;
END $$;

CREATE FUNCTION ledger.posted_correction_is_in_the_books() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
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

CREATE FUNCTION ledger.posting_no_at(p_account_id uuid, p_instant timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_low bigint := 1;
    v_high bigint := 1 + coalesce((SELECT posting_count FROM ledger.account WHERE account_id = p_account_id), 0);
    v_middle bigint;
BEGIN
    WHILE v_low < v_high LOOP
        v_middle := (v_low + v_high) / 2;
        IF (SELECT posted_at FROM ledger.posting WHERE account_id = p_account_id AND posting_no = v_middle)
            < p_instant
        THEN
            v_low := v_middle + 1;
        ELSE
            v_high := v_middle;
        END IF;
    END LOOP;
    RETURN v_low;
END $$;

CREATE FUNCTION ledger.refuse_audit_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'audit_is_append_only';
END $$;

CREATE FUNCTION ledger.refuse_past_limit() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    RAISE EXCEPTION 'account % would pass its limit', NEW.account_id
        USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END $$;

CREATE TABLE ledger.account (
    account_id uuid NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    balance_minor bigint DEFAULT 0 NOT NULL,
    posting_count bigint DEFAULT 0 NOT NULL,
    balance_min_minor bigint,
    balance_max_minor bigint,
    out_per_day_max_minor bigint,
    out_day date,
    out_day_minor bigint DEFAULT 0 NOT NULL,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    closed_at timestamp with time zone,
    out_per_month_max_minor bigint,
    out_month_minor bigint DEFAULT 0 NOT NULL,
    CONSTRAINT account_kind_known CHECK ((kind = ANY (ARRAY['wallet'::text, 'escrow'::text, 'in_flight'::text, 'bank'::text, 'guarantee'::text]))),
    CONSTRAINT balance_in_range CHECK (((balance_minor >= '-1000000000000000000'::bigint) AND (balance_minor <= '1000000000000000000'::bigint))),
    CONSTRAINT balance_not_below_min CHECK ((balance_minor >= balance_min_minor)),
    CONSTRAINT closed_account_is_empty CHECK (((closed_at IS NULL) OR (balance_minor = 0))),
    CONSTRAINT currency_is_a_code CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT limits_in_range CHECK ((((balance_min_minor >= '-1000000000000000000'::bigint) AND (balance_min_minor <= 0)) AND ((balance_max_minor >= 0) AND (balance_max_minor <= '1000000000000000000'::bigint)) AND ((out_per_day_max_minor >= 0) AND (out_per_day_max_minor <= '1000000000000000000'::bigint)))),
    CONSTRAINT month_limit_in_range CHECK (((out_per_month_max_minor >= 0) AND (out_per_month_max_minor <= '1000000000000000000'::bigint))),
    CONSTRAINT out_day_minor_in_range CHECK (((out_day_minor >= 0) AND (out_day_minor <= '1000000000000000000'::bigint))),
    CONSTRAINT out_month_minor_in_range CHECK (((out_month_minor >= 0) AND (out_month_minor <= '1000000000000000000'::bigint))),
    CONSTRAINT people_never_overdrawn CHECK (((kind <> ALL (ARRAY['wallet'::text, 'escrow'::text])) OR ((balance_min_minor IS NOT NULL) AND (balance_min_minor = 0)))),
    CONSTRAINT posting_count_not_negative CHECK ((posting_count >= 0))
)
WITH (fillfactor='50');

CREATE TABLE ledger.audit_entry (
    entry_no bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    act text NOT NULL,
    actor text NOT NULL,
    subject uuid,
    address text NOT NULL,
    session_id uuid,
    label text NOT NULL,
    detail text NOT NULL,
    previous_hash bytea NOT NULL,
    entry_hash bytea NOT NULL,
    CONSTRAINT audit_act_is_a_word CHECK ((act ~ '^[a-z][a-z_]{2,39}$'::text)),
    CONSTRAINT audit_address_is_short CHECK ((char_length(address) <= 64)),
    CONSTRAINT audit_detail_is_an_object CHECK ((jsonb_typeof((detail)::jsonb) = 'object'::text)),
    CONSTRAINT audit_has_an_actor CHECK ((actor ~ '^(person|operator|nobody|system)(:.{1,80})?$'::text)),
    CONSTRAINT audit_label_is_short CHECK ((char_length(label) <= 40)),
    CONSTRAINT audit_names_no_phone CHECK ((((((actor || ' '::text) || label) || ' '::text) || detail) !~ '\+[1-9][0-9]{6,14}'::text))
);

CREATE TABLE ledger.audit_head (
    is_only boolean DEFAULT true NOT NULL,
    entry_count bigint NOT NULL,
    head_hash bytea NOT NULL,
    CONSTRAINT audit_counts_up CHECK ((entry_count >= 0)),
    CONSTRAINT audit_head_is_a_hash CHECK ((octet_length(head_hash) = 32)),
    CONSTRAINT audit_head_is_one CHECK (is_only)
);

CREATE TABLE ledger.correction (
    correction_id uuid NOT NULL,
    debit_account_id uuid NOT NULL,
    credit_account_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    reason text NOT NULL,
    proposed_by uuid NOT NULL,
    proposed_at timestamp with time zone NOT NULL,
    state text DEFAULT 'proposed'::text NOT NULL,
    decided_by uuid,
    decided_at timestamp with time zone,
    CONSTRAINT correction_amount_in_range CHECK (((amount_minor >= 1) AND (amount_minor <= '1000000000000000'::bigint))),
    CONSTRAINT correction_between_two_accounts CHECK ((debit_account_id <> credit_account_id)),
    CONSTRAINT correction_currency_is_a_code CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT correction_decided_by_somebody CHECK ((((state = 'proposed'::text) = (decided_by IS NULL)) AND ((state = 'proposed'::text) = (decided_at IS NULL)))),
    CONSTRAINT correction_expires_after_a_day CHECK (((state <> 'posted'::text) OR (decided_at < (proposed_at + '24:00:00'::interval)))),
    CONSTRAINT correction_has_a_reason CHECK (((char_length(reason) >= 8) AND (char_length(reason) <= 140))),
    CONSTRAINT correction_needs_two_people CHECK (((state <> 'posted'::text) OR (decided_by <> proposed_by))),
    CONSTRAINT correction_state_known CHECK ((state = ANY (ARRAY['proposed'::text, 'posted'::text, 'rejected'::text])))
);

CREATE TABLE ledger.posting (
    account_id uuid NOT NULL,
    posting_no bigint NOT NULL,
    transfer_id uuid NOT NULL,
    other_account_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    balance_minor bigint NOT NULL,
    posted_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    note text NOT NULL,
    CONSTRAINT amount_in_range CHECK (((amount_minor <> 0) AND ((amount_minor >= '-1000000000000000'::bigint) AND (amount_minor <= '1000000000000000'::bigint)))),
    CONSTRAINT note_length CHECK ((char_length(note) <= 140)),
    CONSTRAINT posting_between_two_accounts CHECK ((account_id <> other_account_id)),
    CONSTRAINT posting_no_from_one CHECK ((posting_no >= 1)),
    CONSTRAINT transfer_kind_known CHECK ((kind = ANY (ARRAY['payment'::text, 'top_up'::text, 'withdrawal'::text, 'load'::text, 'release'::text, 'settlement'::text, 'correction'::text])))
);

ALTER TABLE ONLY ledger.account
    ADD CONSTRAINT account_opened_once PRIMARY KEY (account_id);

ALTER TABLE ONLY ledger.audit_entry
    ADD CONSTRAINT audit_entry_follows_one UNIQUE (entry_hash);

ALTER TABLE ONLY ledger.audit_entry
    ADD CONSTRAINT audit_entry_once PRIMARY KEY (entry_no);

ALTER TABLE ONLY ledger.correction
    ADD CONSTRAINT correction_once PRIMARY KEY (correction_id);

ALTER TABLE ONLY ledger.audit_head
    ADD CONSTRAINT one_audit_head PRIMARY KEY (is_only);

ALTER TABLE ONLY ledger.posting
    ADD CONSTRAINT posting_numbered_once PRIMARY KEY (account_id, posting_no);

CREATE INDEX audit_entry_about ON ledger.audit_entry USING btree (subject, entry_no);

CREATE INDEX correction_by_time ON ledger.correction USING btree (proposed_at DESC, correction_id);

CREATE UNIQUE INDEX transfer_posted_once ON ledger.posting USING btree (transfer_id) WHERE (amount_minor < 0);

CREATE TRIGGER audit_entry_is_chained BEFORE INSERT ON ledger.audit_entry FOR EACH ROW EXECUTE FUNCTION ledger.chain_audit_entry();

CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON ledger.audit_head FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_audit_change();

CREATE TRIGGER audit_is_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger.audit_entry FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_audit_change();

CREATE TRIGGER balance_not_above_max BEFORE UPDATE OF balance_minor ON ledger.account FOR EACH ROW WHEN (((new.balance_minor > old.balance_minor) AND (new.balance_minor > new.balance_max_minor))) EXECUTE FUNCTION ledger.refuse_past_limit();

CREATE TRIGGER correction_is_decided_once BEFORE UPDATE ON ledger.correction FOR EACH ROW WHEN ((old.state <> 'proposed'::text)) EXECUTE FUNCTION ledger.correction_is_decided_once();

CREATE TRIGGER correction_never_touches_promised_money BEFORE INSERT ON ledger.correction FOR EACH ROW EXECUTE FUNCTION ledger.correction_never_touches_promised_money();

CREATE TRIGGER out_per_day_not_above_max BEFORE UPDATE OF out_day_minor ON ledger.account FOR EACH ROW WHEN (((new.out_day_minor > new.out_per_day_max_minor) AND ((new.out_day IS DISTINCT FROM old.out_day) OR (new.out_day_minor > old.out_day_minor)))) EXECUTE FUNCTION ledger.refuse_past_limit();

CREATE TRIGGER out_per_month_not_above_max BEFORE UPDATE OF out_month_minor ON ledger.account FOR EACH ROW WHEN (((new.out_month_minor > new.out_per_month_max_minor) AND ((new.out_month_minor > old.out_month_minor) OR (date_trunc('month'::text, (new.out_day)::timestamp without time zone) IS DISTINCT FROM date_trunc('month'::text, (old.out_day)::timestamp without time zone))))) EXECUTE FUNCTION ledger.refuse_past_limit();

CREATE CONSTRAINT TRIGGER posted_correction_is_in_the_books AFTER INSERT OR UPDATE ON ledger.correction DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.state = 'posted'::text)) EXECUTE FUNCTION ledger.posted_correction_is_in_the_books();

ALTER TABLE ONLY ledger.correction
    ADD CONSTRAINT correction_from_an_account FOREIGN KEY (debit_account_id) REFERENCES ledger.account(account_id);

ALTER TABLE ONLY ledger.correction
    ADD CONSTRAINT correction_to_an_account FOREIGN KEY (credit_account_id) REFERENCES ledger.account(account_id);

GRANT USAGE ON SCHEMA ledger TO tikiwallet_ledger;

REVOKE ALL ON FUNCTION ledger.post_batch(p_transfer_ids uuid[], p_debit_ids uuid[], p_credit_ids uuid[], p_amounts_minor bigint[], p_currencies text[], p_kinds text[], p_notes text[], p_linked boolean, OUT outcomes text[], OUT posted_ats timestamp with time zone[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.post_batch(p_transfer_ids uuid[], p_debit_ids uuid[], p_credit_ids uuid[], p_amounts_minor bigint[], p_currencies text[], p_kinds text[], p_notes text[], p_linked boolean, OUT outcomes text[], OUT posted_ats timestamp with time zone[]) TO tikiwallet_ledger;

REVOKE ALL ON FUNCTION ledger.post_batch(p_account_ids uuid[], p_transfer_ids uuid[], p_firsts integer[], p_debits integer[], p_credits integer[], p_amounts_minor bigint[], p_currencies text[], p_kinds text[], p_notes text[], p_linked boolean, OUT outcomes text[], OUT posted_at timestamp with time zone, OUT known_ats timestamp with time zone[]) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.post_batch(p_account_ids uuid[], p_transfer_ids uuid[], p_firsts integer[], p_debits integer[], p_credits integer[], p_amounts_minor bigint[], p_currencies text[], p_kinds text[], p_notes text[], p_linked boolean, OUT outcomes text[], OUT posted_at timestamp with time zone, OUT known_ats timestamp with time zone[]) TO tikiwallet_ledger;

REVOKE ALL ON FUNCTION ledger.post_one(p_transfer_id uuid, p_debit_id uuid, p_credit_id uuid, p_amount_minor bigint, p_currency text, p_kind text, p_note text, OUT outcome text, OUT posted_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.post_one(p_transfer_id uuid, p_debit_id uuid, p_credit_id uuid, p_amount_minor bigint, p_currency text, p_kind text, p_note text, OUT outcome text, OUT posted_at timestamp with time zone) TO tikiwallet_ledger;

REVOKE ALL ON FUNCTION ledger.posting_no_at(p_account_id uuid, p_instant timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION ledger.posting_no_at(p_account_id uuid, p_instant timestamp with time zone) TO tikiwallet_ledger;

REVOKE ALL ON FUNCTION ledger.refuse_past_limit() FROM PUBLIC;

GRANT SELECT ON TABLE ledger.account TO tikiwallet_ledger;

GRANT INSERT(account_id) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT INSERT(kind) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT INSERT(currency) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT UPDATE(balance_minor) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT UPDATE(posting_count) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT INSERT(balance_min_minor),UPDATE(balance_min_minor) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT INSERT(balance_max_minor),UPDATE(balance_max_minor) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT INSERT(out_per_day_max_minor),UPDATE(out_per_day_max_minor) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT UPDATE(out_day) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT UPDATE(out_day_minor) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT UPDATE(closed_at) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT INSERT(out_per_month_max_minor),UPDATE(out_per_month_max_minor) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT UPDATE(out_month_minor) ON TABLE ledger.account TO tikiwallet_ledger;

GRANT SELECT ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT INSERT(at) ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT INSERT(act) ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT INSERT(actor) ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT INSERT(subject) ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT INSERT(address) ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT INSERT(session_id) ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT INSERT(label) ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT INSERT(detail) ON TABLE ledger.audit_entry TO tikiwallet_ledger;

GRANT SELECT ON TABLE ledger.audit_head TO tikiwallet_ledger;

GRANT SELECT,INSERT ON TABLE ledger.correction TO tikiwallet_ledger;

GRANT UPDATE(state) ON TABLE ledger.correction TO tikiwallet_ledger;

GRANT UPDATE(decided_by) ON TABLE ledger.correction TO tikiwallet_ledger;

GRANT UPDATE(decided_at) ON TABLE ledger.correction TO tikiwallet_ledger;

GRANT SELECT,INSERT ON TABLE ledger.posting TO tikiwallet_ledger;
