-- Accounts, and the postings that every balance is the sum of.
--
-- A transfer is two postings, one for each account, each with the balance after it: a statement is then one index
-- range, and both tables can be distributed by account_id. Nothing in a posting is ever changed: the role below may
-- only add to it. Each rule about money stands here once more by name, so that a mistake in the code stops at it.
-- That a posting has an account is no foreign key: it cost a tenth to a third of all throughput (measured), the
-- functions lock the account of every posting they write, and `reconcile` proves it.

CREATE TABLE ledger.account (
    account_id uuid NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    balance_minor bigint NOT NULL DEFAULT 0,
    posting_count bigint NOT NULL DEFAULT 0,
    balance_min_minor bigint,          -- null: may go below zero without end
    balance_max_minor bigint,          -- null: no ceiling
    out_per_day_max_minor bigint,      -- null: no limit
    out_day date,                      -- the UTC day that out_day_minor counts; null: nothing has left yet
    out_day_minor bigint NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,

    CONSTRAINT account_opened_once PRIMARY KEY (account_id),
    CONSTRAINT account_kind_known CHECK (kind IN ('wallet', 'escrow', 'in_flight', 'bank', 'guarantee')),
    CONSTRAINT currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT balance_not_below_min CHECK (balance_minor >= balance_min_minor),
    CONSTRAINT balance_in_range CHECK (balance_minor BETWEEN -1000000000000000000 AND 1000000000000000000),
    CONSTRAINT people_never_overdrawn
        CHECK (kind NOT IN ('wallet', 'escrow') OR (balance_min_minor IS NOT NULL AND balance_min_minor = 0)),
    CONSTRAINT closed_account_is_empty CHECK (closed_at IS NULL OR balance_minor = 0),
    CONSTRAINT posting_count_not_negative CHECK (posting_count >= 0),
    CONSTRAINT out_day_minor_in_range CHECK (out_day_minor BETWEEN 0 AND 1000000000000000000),
    CONSTRAINT limits_in_range CHECK (
        balance_min_minor BETWEEN -1000000000000000000 AND 0
        AND balance_max_minor BETWEEN 0 AND 1000000000000000000
        AND out_per_day_max_minor BETWEEN 0 AND 1000000000000000000
    )
) WITH (fillfactor = 50);  -- room for the next version of a row on its own page: a posting touches no index

CREATE TABLE ledger.posting (
    account_id uuid NOT NULL,
    posting_no bigint NOT NULL,        -- counts from 1 per account without a gap
    transfer_id uuid NOT NULL,
    other_account_id uuid NOT NULL,
    amount_minor bigint NOT NULL,      -- below zero: out of this account
    balance_minor bigint NOT NULL,     -- of this account after this posting
    posted_at timestamptz NOT NULL,    -- taken while the accounts are locked, so it follows posting_no
    kind text NOT NULL,
    note text NOT NULL,

    CONSTRAINT posting_numbered_once PRIMARY KEY (account_id, posting_no),
    CONSTRAINT posting_no_from_one CHECK (posting_no >= 1),
    CONSTRAINT posting_between_two_accounts CHECK (account_id <> other_account_id),
    CONSTRAINT amount_in_range
        CHECK (amount_minor <> 0 AND amount_minor BETWEEN -1000000000000000 AND 1000000000000000),
    CONSTRAINT transfer_kind_known CHECK (
        kind IN ('payment', 'top_up', 'withdrawal', 'load', 'release', 'settlement', 'correction')
    ),
    CONSTRAINT note_length CHECK (char_length(note) <= 140)
);

-- A transfer has one paying side, so this index is what makes an id post at most once, whoever asks and how often.
CREATE UNIQUE INDEX transfer_posted_once ON ledger.posting (transfer_id) WHERE amount_minor < 0;

-- A ceiling or a day limit may be lowered below what already stands: money may then leave but not enter, and what has
-- left today has left. A CHECK can't see the row as it was, so these two rules are triggers with a constraint's name.
CREATE FUNCTION ledger.refuse_past_limit() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'account % would pass its limit', NEW.account_id
        USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END $$;

CREATE TRIGGER balance_not_above_max BEFORE UPDATE OF balance_minor ON ledger.account FOR EACH ROW
WHEN (NEW.balance_minor > OLD.balance_minor AND NEW.balance_minor > NEW.balance_max_minor)
EXECUTE FUNCTION ledger.refuse_past_limit();

CREATE TRIGGER out_per_day_not_above_max BEFORE UPDATE OF out_day_minor ON ledger.account FOR EACH ROW
WHEN (
    NEW.out_day_minor > NEW.out_per_day_max_minor
    AND (NEW.out_day IS DISTINCT FROM OLD.out_day OR NEW.out_day_minor > OLD.out_day_minor)
)
EXECUTE FUNCTION ledger.refuse_past_limit();

-- The number of the first posting of an account at or after an instant (posting_count + 1 if there is none), found by
-- halving: a filter by time then stays one range of the primary key, however long the history is.
CREATE FUNCTION ledger.posting_no_at(p_account_id uuid, p_instant timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
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

-- The least that posting needs. Who an account belongs to, its currency and every posting stand for ever.
GRANT SELECT ON ledger.account, ledger.posting TO tikiwallet_ledger;
GRANT INSERT (
    account_id, kind, currency, balance_min_minor, balance_max_minor, out_per_day_max_minor
) ON ledger.account TO tikiwallet_ledger;
GRANT UPDATE (
    balance_minor, posting_count, balance_min_minor, balance_max_minor, out_per_day_max_minor,
    out_day, out_day_minor, closed_at
) ON ledger.account TO tikiwallet_ledger;
GRANT INSERT ON ledger.posting TO tikiwallet_ledger;
REVOKE ALL ON FUNCTION ledger.refuse_past_limit(), ledger.posting_no_at(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.posting_no_at(uuid, timestamptz) TO tikiwallet_ledger;
