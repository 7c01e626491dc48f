-- The two ways value moves: one transfer, or a batch with the very outcomes of posting its transfers one by one.
--
-- Both: 1. lock the accounts, always in the order of their ids, so that A→B and B→A can't deadlock; 2. look the ids up
-- in a new statement, which sees what committed while we waited for the locks; 3. judge; 4. write the postings, in the
-- order of their ids; fewer rows than expected mean that another session posted one of the ids meanwhile under other
-- accounts: 40001, and the caller repeats the call; 5. write the balances.
--
-- The order of judging (ledger/rules.py says it in words, ledger/memory.py does the same): the id (already_posted,
-- differs_from_posted), account_unknown, currency_differs, account_closed, insufficient_funds, limit_exceeded.
--
-- enable_seqscan is off inside: a plan made while the tables are empty would otherwise scan them when they are not.

CREATE FUNCTION ledger.post_one(
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
    outcome := CASE
        WHEN v_debit.account_id IS NULL OR v_credit.account_id IS NULL THEN 'account_unknown'
        WHEN v_debit.currency <> p_currency OR v_credit.currency <> p_currency THEN 'currency_differs'
        WHEN v_debit.closed_at IS NOT NULL OR v_credit.closed_at IS NOT NULL THEN 'account_closed'
        WHEN v_debit.balance_minor - p_amount_minor < v_debit.balance_min_minor THEN 'insufficient_funds'
        WHEN v_out_minor > v_debit.out_per_day_max_minor THEN 'limit_exceeded'
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
        out_day = v_today, out_day_minor = least(v_out_minor, 1000000000000000000)
    WHERE account_id = p_debit_id;
    UPDATE ledger.account SET balance_minor = balance_minor + p_amount_minor, posting_count = posting_count + 1
    WHERE account_id = p_credit_id;
END $$;

-- Arrays in, arrays out, one element a transfer. With p_linked all stand or none: the first that is refused keeps its
-- outcome, and every other that didn't stand before becomes linked_refused.
CREATE FUNCTION ledger.post_batch(
    p_transfer_ids uuid[], p_debit_ids uuid[], p_credit_ids uuid[], p_amounts_minor bigint[], p_currencies text[],
    p_kinds text[], p_notes text[], p_linked boolean, OUT outcomes text[], OUT posted_ats timestamptz[]
)
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
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

REVOKE ALL ON FUNCTION
    ledger.post_one(uuid, uuid, uuid, bigint, text, text, text),
    ledger.post_batch(uuid[], uuid[], uuid[], bigint[], text[], text[], text[], boolean)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    ledger.post_one(uuid, uuid, uuid, bigint, text, text, text),
    ledger.post_batch(uuid[], uuid[], uuid[], bigint[], text[], text[], text[], boolean)
TO tikiwallet_ledger;
