-- What may leave an account in a month (UTC), beside what may leave it in a day.
--
-- The month that out_month_minor counts is the one of out_day, which every posting that pays writes anyhow: one number
-- more in an UPDATE that there is already, and no statement more. What left in the month of the upgrade before it isn't
-- counted,
-- nor is what a server of the release before posts meanwhile by the first version of post_batch.

ALTER TABLE ledger.account
    ADD COLUMN out_per_month_max_minor bigint      -- null: no limit
        CONSTRAINT month_limit_in_range CHECK (out_per_month_max_minor BETWEEN 0 AND 1000000000000000000),
    ADD COLUMN out_month_minor bigint NOT NULL DEFAULT 0
        CONSTRAINT out_month_minor_in_range CHECK (out_month_minor BETWEEN 0 AND 1000000000000000000);

-- As the rule for the day: a limit may be lowered below what has left already.
CREATE TRIGGER out_per_month_not_above_max BEFORE UPDATE OF out_month_minor ON ledger.account FOR EACH ROW
WHEN (
    NEW.out_month_minor > NEW.out_per_month_max_minor
    AND (
        NEW.out_month_minor > OLD.out_month_minor
        OR date_trunc('month', NEW.out_day::timestamp) IS DISTINCT FROM date_trunc('month', OLD.out_day::timestamp)
    )
)
EXECUTE FUNCTION ledger.refuse_past_limit();

GRANT INSERT (out_per_month_max_minor), UPDATE (out_per_month_max_minor, out_month_minor)
ON ledger.account TO tikiwallet_ledger;

CREATE OR REPLACE FUNCTION ledger.post_one(
    p_transfer_id uuid, p_debit_id uuid, p_credit_id uuid, p_amount_minor bigint, p_currency text, p_kind text,
    p_note text, OUT outcome text, OUT posted_at timestamptz
)
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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
    UPDATE ledger.account SET
        balance_minor = balance_minor - p_amount_minor, posting_count = posting_count + 1,
        -- Held at the top of its range: every limit is at or below it, so a sum that was cut still refuses.
        out_day = v_today, out_day_minor = least(v_out_minor, 1000000000000000000),
        out_month_minor = least(v_out_month_minor, 1000000000000000000)
    WHERE account_id = p_debit_id;
    UPDATE ledger.account SET balance_minor = balance_minor + p_amount_minor, posting_count = posting_count + 1
    WHERE account_id = p_credit_id;
END $$;

CREATE OR REPLACE FUNCTION ledger.post_batch(
    p_account_ids uuid[],              -- every account that takes part, once, in ascending order
    p_transfer_ids uuid[],
    p_firsts int[],                    -- the first transfer of the batch with the same id: itself, unless repeated
    p_debits int[],                    -- numbers in p_account_ids, from 1
    p_credits int[],
    p_amounts_minor bigint[], p_currencies text[], p_kinds text[], p_notes text[], p_linked boolean,
    OUT outcomes text[],
    OUT posted_at timestamptz,         -- of everything that this call posted
    OUT known_ats timestamptz[]        -- of what was posted before; null if nothing was
)
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
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
