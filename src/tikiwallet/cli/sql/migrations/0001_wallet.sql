-- The store of one wallet (SQLite). Forward only: a wallet remembers how many of these steps it has taken (user_version).
-- History (payments, receipts, refusals) is never updated or deleted: triggers keep it so, as grants do on the server.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- The keys of this phone. One is in use; a retired one signs nothing ever again.
CREATE TABLE device_key (
    key_id          BLOB PRIMARY KEY,
    public_key      BLOB NOT NULL UNIQUE,
    made_at         INTEGER NOT NULL,
    signed_count    INTEGER NOT NULL DEFAULT 0,
    mark            BLOB NOT NULL,
    mark_before     BLOB NOT NULL,
    device_id       TEXT,
    certificate     BLOB,
    certificate_opening TEXT,
    retired_at      INTEGER,
    retired_because TEXT,
    retirement_told_at INTEGER,
    CONSTRAINT key_id_is_16_bytes CHECK (length(key_id) = 16),
    CONSTRAINT public_key_is_33_bytes CHECK (length(public_key) = 33),
    CONSTRAINT retired_for_a_reason CHECK ((retired_at IS NULL) = (retired_because IS NULL)),
    CONSTRAINT told_only_of_retirement CHECK (retirement_told_at IS NULL OR retired_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX one_key_in_use ON device_key ((retired_at IS NULL)) WHERE retired_at IS NULL;
CREATE TRIGGER retired_stays_retired BEFORE UPDATE OF retired_at ON device_key
WHEN OLD.retired_at IS NOT NULL AND NEW.retired_at IS NOT OLD.retired_at
BEGIN SELECT RAISE(ABORT, 'retired_stays_retired'); END;
CREATE TRIGGER signed_count_never_falls BEFORE UPDATE OF signed_count ON device_key
WHEN NEW.signed_count <= OLD.signed_count
BEGIN SELECT RAISE(ABORT, 'signed_count_never_falls'); END;

-- Every voucher, payment and certificate that this wallet may have to show or hand on.
CREATE TABLE document (
    document_id BLOB PRIMARY KEY,
    body        BLOB NOT NULL,
    opening     TEXT,
    CONSTRAINT document_id_is_32_bytes CHECK (length(document_id) = 32)
) STRICT;

-- The book of units, as tikicash.book describes it, until claim_by. Units are minor units of one voucher.
CREATE TABLE terms (
    voucher_id  BLOB PRIMARY KEY,
    cover       INTEGER NOT NULL,
    payment_max INTEGER NOT NULL,
    claim_by    INTEGER NOT NULL,
    audience_id BLOB
) STRICT;
CREATE TABLE unit_range (
    voucher_id  BLOB NOT NULL REFERENCES terms (voucher_id),
    first       INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    held        INTEGER NOT NULL,
    owner_id    BLOB NOT NULL,
    document_id BLOB NOT NULL,
    depth       INTEGER NOT NULL,
    spend_by    INTEGER,
    to_operator INTEGER,
    ancestors   TEXT,
    PRIMARY KEY (voucher_id, first),
    CONSTRAINT some_units CHECK (count > 0),
    CONSTRAINT held_or_handed_on CHECK (
        (held = 1 AND spend_by IS NOT NULL AND ancestors IS NOT NULL AND to_operator IS NULL)
        OR (held = 0 AND spend_by IS NULL AND ancestors IS NULL AND to_operator IN (0, 1))
    )
) STRICT;
CREATE TRIGGER unit_held_or_handed_on_once BEFORE INSERT ON unit_range
WHEN EXISTS (
    SELECT 1 FROM unit_range AS other
    WHERE other.voucher_id = NEW.voucher_id
      AND other.first < NEW.first + NEW.count AND NEW.first < other.first + other.count
)
BEGIN SELECT RAISE(ABORT, 'unit_held_or_handed_on_once'); END;
CREATE TABLE known_payment (
    payment_id BLOB PRIMARY KEY,
    claim_by   INTEGER NOT NULL
) STRICT;
-- What a retired key held: it is not spent from here again and comes home by its date.
CREATE TABLE coming_home (
    voucher_id   BLOB NOT NULL,
    first        INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    claim_by     INTEGER NOT NULL,
    PRIMARY KEY (voucher_id, first)
) STRICT;

CREATE TABLE asked (
    nonce        BLOB PRIMARY KEY,
    key_id       BLOB NOT NULL REFERENCES device_key (key_id),
    request      BLOB NOT NULL,
    code         TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    asked_at     INTEGER NOT NULL,
    CONSTRAINT nonce_is_8_bytes CHECK (length(nonce) = 8),
    CONSTRAINT amount_positive CHECK (amount_minor > 0)
) STRICT;

-- Signed payments. A request is answered once; the same bytes are shown for ever.
CREATE TABLE payment_made (
    payment_id   BLOB PRIMARY KEY,
    request_id   BLOB NOT NULL,
    payee_key    BLOB NOT NULL,
    payee_name   TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    memo         TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    claim_by     INTEGER NOT NULL,
    is_hand_back INTEGER NOT NULL,
    code         TEXT NOT NULL,
    CONSTRAINT request_answered_once UNIQUE (request_id),
    CONSTRAINT amount_positive CHECK (amount_minor > 0)
) STRICT;
CREATE TABLE payment_answer (
    payment_id BLOB PRIMARY KEY REFERENCES payment_made (payment_id),
    answer     TEXT NOT NULL,
    code       TEXT NOT NULL,
    learned_at INTEGER NOT NULL,
    CONSTRAINT answer_known CHECK (answer IN ('received', 'refused', 'not_taken'))
) STRICT;

CREATE TABLE payment_received (
    payment_id   BLOB PRIMARY KEY,
    nonce        BLOB NOT NULL REFERENCES asked (nonce),
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
    CONSTRAINT parts_are_the_whole CHECK (amount_minor = final_minor + protected_minor + at_risk_minor)
) STRICT;
CREATE TABLE payment_refused (
    payment_id   BLOB PRIMARY KEY,
    amount_minor INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    refused_at   INTEGER NOT NULL,
    code         TEXT NOT NULL
) STRICT;

-- What the operator has yet to see, and what he said.
CREATE TABLE outbox (
    entry_id   INTEGER PRIMARY KEY,
    payment_id BLOB NOT NULL,
    kind       TEXT NOT NULL,
    body       BLOB NOT NULL,
    outcome    TEXT,
    detail     TEXT,
    CONSTRAINT brought_once UNIQUE (payment_id, kind, body),
    CONSTRAINT kind_known CHECK (kind IN ('bundle', 'refusal')),
    CONSTRAINT outcome_known CHECK (outcome IS NULL OR outcome IN ('recorded', 'known', 'rejected'))
) STRICT;

-- Calls that move money and whose outcome isn't known yet: asking again uses the same Idempotency-Key.
CREATE TABLE unsettled_call (
    person_id TEXT NOT NULL,
    address   TEXT NOT NULL,
    body      TEXT NOT NULL,
    idempotency_key TEXT NOT NULL UNIQUE,
    asked_at  INTEGER NOT NULL,
    PRIMARY KEY (person_id, address, body)
) STRICT;

CREATE TRIGGER payment_made_is_kept BEFORE UPDATE ON payment_made
BEGIN SELECT RAISE(ABORT, 'payment_made_is_kept'); END;
CREATE TRIGGER payment_made_is_never_deleted BEFORE DELETE ON payment_made
BEGIN SELECT RAISE(ABORT, 'payment_made_is_never_deleted'); END;
CREATE TRIGGER payment_received_is_kept BEFORE UPDATE ON payment_received
BEGIN SELECT RAISE(ABORT, 'payment_received_is_kept'); END;
CREATE TRIGGER payment_received_is_never_deleted BEFORE DELETE ON payment_received
BEGIN SELECT RAISE(ABORT, 'payment_received_is_never_deleted'); END;
CREATE TRIGGER payment_refused_is_kept BEFORE UPDATE ON payment_refused
BEGIN SELECT RAISE(ABORT, 'payment_refused_is_kept'); END;
CREATE TRIGGER refused_is_not_accepted BEFORE INSERT ON payment_refused
WHEN EXISTS (SELECT 1 FROM payment_received WHERE payment_id = NEW.payment_id)
BEGIN SELECT RAISE(ABORT, 'refused_is_not_accepted'); END;
CREATE TRIGGER accepted_is_not_refused BEFORE INSERT ON payment_received
WHEN EXISTS (SELECT 1 FROM payment_refused WHERE payment_id = NEW.payment_id)
BEGIN SELECT RAISE(ABORT, 'accepted_is_not_refused'); END;
PRAGMA user_version = 1;
