-- A phone is told what it was paid with vouchers that aren't closed. Every payment that it was ever paid was looked at to
-- find those, so that a merchant's syncs grew with the years. A payment comes after its voucher, and both are written
-- down by one clock: what was recorded before the oldest voucher that isn't closed needn't be looked at. Of vouchers that
-- were kept before this release nobody knows when they were written down.
ALTER TABLE offline.voucher ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE offline.voucher ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();
CREATE INDEX voucher_not_closed ON offline.voucher (recorded_at) WHERE state IN ('open', 'closing');
CREATE INDEX payment_by_payee_and_time ON offline.payment (payee_key_id, recorded_at);
DROP INDEX offline.payment_by_payee;
