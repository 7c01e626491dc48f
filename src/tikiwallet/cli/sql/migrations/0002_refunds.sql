-- A payment received answers a request of mine, or gives a payment of mine back; a payment made may give one back.
DROP TRIGGER refused_is_not_accepted;
CREATE TABLE payment_taken (
    payment_id   BLOB PRIMARY KEY,
    nonce        BLOB REFERENCES asked (nonce),
    refund_of    BLOB,
    is_claim_only INTEGER NOT NULL,
    payer_name   TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    memo         TEXT NOT NULL,
    final_minor     INTEGER NOT NULL,
    protected_minor INTEGER NOT NULL,
    at_risk_minor   INTEGER NOT NULL,
    spend_by     INTEGER NOT NULL,
    claim_by     INTEGER NOT NULL,
    accepted_at  INTEGER NOT NULL,
    code         TEXT NOT NULL,
    receipt_code TEXT NOT NULL,
    CONSTRAINT request_paid_once UNIQUE (nonce),
    CONSTRAINT answers_a_request_or_gives_a_payment_back CHECK ((nonce IS NULL) <> (refund_of IS NULL)),
    CONSTRAINT sale_is_16_bytes CHECK (length(refund_of) = 16),
    CONSTRAINT only_refunds_are_claim_only CHECK (is_claim_only = 0 OR (is_claim_only = 1 AND refund_of IS NOT NULL)),
    CONSTRAINT parts_are_the_whole CHECK (amount_minor = final_minor + protected_minor + at_risk_minor)
) STRICT;
INSERT INTO payment_taken
    (payment_id, nonce, refund_of, is_claim_only, payer_name, amount_minor, memo, final_minor, protected_minor,
     at_risk_minor, spend_by, claim_by, accepted_at, code, receipt_code)
SELECT payment_id, nonce, NULL, 0, payer_name, amount_minor, memo, final_minor, protected_minor,
       at_risk_minor, spend_by, claim_by, accepted_at, code, receipt_code
FROM payment_received ORDER BY rowid;
DROP TABLE payment_received;
ALTER TABLE payment_taken RENAME TO payment_received;
CREATE TRIGGER payment_received_is_kept BEFORE UPDATE ON payment_received
BEGIN SELECT RAISE(ABORT, 'payment_received_is_kept'); END;
CREATE TRIGGER payment_received_is_never_deleted BEFORE DELETE ON payment_received
BEGIN SELECT RAISE(ABORT, 'payment_received_is_never_deleted'); END;
CREATE TRIGGER accepted_is_not_refused BEFORE INSERT ON payment_received
WHEN EXISTS (SELECT 1 FROM payment_refused WHERE payment_id = NEW.payment_id)
BEGIN SELECT RAISE(ABORT, 'accepted_is_not_refused'); END;
CREATE TRIGGER refused_is_not_accepted BEFORE INSERT ON payment_refused
WHEN EXISTS (SELECT 1 FROM payment_received WHERE payment_id = NEW.payment_id)
BEGIN SELECT RAISE(ABORT, 'refused_is_not_accepted'); END;

ALTER TABLE payment_made ADD COLUMN refund_of BLOB REFERENCES payment_received (payment_id)
    CONSTRAINT refund_is_no_hand_back CHECK (refund_of IS NULL OR is_hand_back = 0);
-- The units bound a refund already; these say it in money, on both sides of a sale.
CREATE TRIGGER refunds_made_within_the_sale BEFORE INSERT ON payment_made
WHEN NEW.refund_of IS NOT NULL
 AND NEW.amount_minor + (SELECT coalesce(sum(amount_minor), 0) FROM payment_made WHERE refund_of = NEW.refund_of)
     > (SELECT amount_minor FROM payment_received WHERE payment_id = NEW.refund_of)
BEGIN SELECT RAISE(ABORT, 'refunds_made_within_the_sale'); END;
CREATE TRIGGER refunds_received_within_the_sale BEFORE INSERT ON payment_received
WHEN NEW.refund_of IS NOT NULL
 AND NEW.amount_minor + (SELECT coalesce(sum(amount_minor), 0) FROM payment_received WHERE refund_of = NEW.refund_of)
     > (SELECT amount_minor FROM payment_made WHERE payment_id = NEW.refund_of)
BEGIN SELECT RAISE(ABORT, 'refunds_received_within_the_sale'); END;
PRAGMA user_version = 2;
