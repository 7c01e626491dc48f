-- Closes that failed: what an operator sees of them. A voucher that is closed now isn't stuck any more; its row stays.
CREATE TABLE offline.close_failure (
    voucher_id uuid PRIMARY KEY REFERENCES offline.voucher,
    failure_count integer NOT NULL DEFAULT 1 CONSTRAINT failures_from_one CHECK (failure_count >= 1),
    first_failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    error text NOT NULL CONSTRAINT close_error_length CHECK (char_length(error) BETWEEN 1 AND 500)
);
GRANT SELECT, INSERT, UPDATE (failure_count, last_failed_at, error) ON offline.close_failure TO tikiwallet_offline;
