-- keep_locked --
PRAGMA locking_mode = EXCLUSIVE;

-- keep_references --
PRAGMA foreign_keys = ON;

-- sync_everything --
-- EXTRA also syncs the folder after the journal is deleted: a commit is a commit.
PRAGMA synchronous = EXTRA;

-- schema_version --
PRAGMA user_version;

-- check --
PRAGMA quick_check(1);

-- begin --
BEGIN EXCLUSIVE;

-- commit --
COMMIT;

-- rollback --
ROLLBACK;

-- setting --
SELECT value FROM setting WHERE name = :name;

-- remember --
INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- key_in_use --
SELECT * FROM device_key WHERE retired_at IS NULL;

-- keys --
SELECT * FROM device_key ORDER BY made_at;

-- add_key --
INSERT INTO device_key (key_id, public_key, made_at, mark, mark_before)
VALUES (:key_id, :public_key, :made_at, :mark, :mark);

-- count_signing --
UPDATE device_key SET signed_count = signed_count + 1, mark_before = mark, mark = :mark WHERE retired_at IS NULL;

-- retire_key --
UPDATE device_key SET retired_at = :now, retired_because = :because WHERE retired_at IS NULL;

-- set_device --
UPDATE device_key SET device_id = :device_id WHERE key_id = :key_id;

-- set_certificate --
UPDATE device_key SET certificate = :certificate, certificate_opening = :opening WHERE key_id = :key_id;

-- retirements_to_tell --
SELECT key_id, public_key, device_id FROM device_key
WHERE retired_at IS NOT NULL AND retirement_told_at IS NULL AND device_id IS NOT NULL;

-- retirement_told --
UPDATE device_key SET retirement_told_at = :now WHERE key_id = :key_id;

-- add_document --
INSERT INTO document (document_id, body, opening) VALUES (:document_id, :body, :opening)
ON CONFLICT (document_id) DO UPDATE SET opening = coalesce(excluded.opening, document.opening);

-- document --
SELECT body, opening FROM document WHERE document_id = :document_id;

-- terms --
SELECT * FROM terms;

-- add_terms --
INSERT INTO terms (voucher_id, cover, payment_max, claim_by, audience_id)
VALUES (:voucher_id, :cover, :payment_max, :claim_by, :audience_id) ON CONFLICT (voucher_id) DO NOTHING;

-- unit_ranges --
SELECT * FROM unit_range ORDER BY rowid;

-- clear_unit_ranges --
DELETE FROM unit_range;

-- add_unit_range --
INSERT INTO unit_range (voucher_id, first, count, held, owner_id, document_id, depth, spend_by, to_operator, ancestors)
VALUES (:voucher_id, :first, :count, :held, :owner_id, :document_id, :depth, :spend_by, :to_operator, :ancestors);

-- known_payments --
SELECT * FROM known_payment ORDER BY rowid;

-- clear_known_payments --
DELETE FROM known_payment;

-- add_known_payment --
INSERT INTO known_payment (payment_id, claim_by) VALUES (:payment_id, :claim_by);

-- add_coming_home --
INSERT INTO coming_home (voucher_id, first, amount_minor, claim_by)
VALUES (:voucher_id, :first, :amount_minor, :claim_by) ON CONFLICT DO NOTHING;

-- coming_home --
SELECT amount_minor, claim_by FROM coming_home WHERE claim_by >= :now ORDER BY claim_by;

-- add_asked --
INSERT INTO asked (nonce, key_id, request, code, amount_minor, asked_at)
VALUES (:nonce, :key_id, :request, :code, :amount_minor, :asked_at);

-- open_requests --
SELECT asked.* FROM asked JOIN device_key USING (key_id)
WHERE device_key.retired_at IS NULL AND NOT EXISTS (SELECT 1 FROM payment_received WHERE nonce = asked.nonce)
ORDER BY asked_at;

-- add_payment_made --
INSERT INTO payment_made
    (payment_id, request_id, payee_key, payee_name, amount_minor, memo, made_at, claim_by, is_hand_back, code, refund_of)
VALUES
    (:payment_id, :request_id, :payee_key, :payee_name, :amount_minor, :memo, :made_at, :claim_by, :is_hand_back, :code,
     :refund_of);

-- payment_made --
SELECT payment_made.*, payment_answer.answer, payment_answer.learned_at
FROM payment_made LEFT JOIN payment_answer USING (payment_id) WHERE payment_id = :payment_id;

-- payment_for_request --
SELECT payment_made.*, payment_answer.answer, payment_answer.learned_at
FROM payment_made LEFT JOIN payment_answer USING (payment_id) WHERE request_id = :request_id;

-- refunds_made --
-- What was given back of a payment that I received, oldest first.
SELECT payment_made.*, payment_answer.answer, payment_answer.learned_at
FROM payment_made LEFT JOIN payment_answer USING (payment_id) WHERE refund_of = :sale_id ORDER BY payment_made.rowid;

-- add_payment_answer --
INSERT INTO payment_answer (payment_id, answer, code, learned_at) VALUES (:payment_id, :answer, :code, :learned_at)
ON CONFLICT (payment_id) DO UPDATE SET answer = excluded.answer, code = excluded.code, learned_at = excluded.learned_at
WHERE payment_answer.answer = 'not_taken';

-- add_payment_received --
INSERT INTO payment_received
    (payment_id, nonce, refund_of, is_claim_only, payer_name, amount_minor, memo, final_minor, protected_minor,
     at_risk_minor, spend_by, claim_by, accepted_at, code, receipt_code)
VALUES
    (:payment_id, :nonce, :refund_of, :is_claim_only, :payer_name, :amount_minor, :memo, :final_minor, :protected_minor,
     :at_risk_minor, :spend_by, :claim_by, :accepted_at, :code, :receipt_code);

-- payment_received --
SELECT * FROM payment_received WHERE payment_id = :payment_id;

-- add_payment_refused --
INSERT INTO payment_refused (payment_id, amount_minor, reason, refused_at, code)
VALUES (:payment_id, :amount_minor, :reason, :refused_at, :code);

-- payment_refused --
SELECT * FROM payment_refused WHERE payment_id = :payment_id;

-- offline_list --
-- Newest first: everything this wallet asked for, paid, received or refused with no network.
-- `state` is what the person should know. `refund_of` ties what was given back to its sale, and `given_back_minor` says
-- of a sale how much of it that is, on either side. Of several copies of one payment a good one speaks for it.
SELECT lower(hex(nonce)) AS id, 'request' AS kind, '' AS who, amount_minor, '' AS memo, asked_at AS made_at,
       NULL AS claim_by, 'open' AS state, code, '' AS receipt_code, '' AS refund_of, 0 AS given_back_minor
FROM asked WHERE NOT EXISTS (SELECT 1 FROM payment_received WHERE nonce = asked.nonce)
UNION ALL
SELECT lower(hex(p.payment_id)), iif(p.is_hand_back, 'hand_back', 'made'), p.payee_name, p.amount_minor, p.memo,
       p.made_at, p.claim_by,
       coalesce(a.answer, (SELECT iif(o.outcome = 'rejected', 'rejected', 'settled') FROM outbox AS o
                           WHERE o.payment_id = p.payment_id AND o.outcome IS NOT NULL
                           ORDER BY o.outcome = 'rejected' LIMIT 1), 'waiting'),
       p.code, '', lower(hex(p.refund_of)),
       (SELECT coalesce(sum(r.amount_minor), 0) FROM payment_received AS r WHERE r.refund_of = p.payment_id)
FROM payment_made AS p LEFT JOIN payment_answer AS a USING (payment_id)
UNION ALL
SELECT lower(hex(p.payment_id)), 'received', p.payer_name, p.amount_minor, p.memo, p.accepted_at, p.claim_by,
       coalesce((SELECT iif(o.outcome = 'rejected', 'rejected', 'settled') FROM outbox AS o
                 WHERE o.payment_id = p.payment_id AND o.outcome IS NOT NULL
                           ORDER BY o.outcome = 'rejected' LIMIT 1), 'waiting'),
       p.code, p.receipt_code, lower(hex(p.refund_of)),
       (SELECT coalesce(sum(m.amount_minor), 0) FROM payment_made AS m WHERE m.refund_of = p.payment_id)
FROM payment_received AS p
UNION ALL
SELECT lower(hex(payment_id)), 'refused', '', amount_minor, reason, refused_at, NULL, 'refused', code, '', '', 0
FROM payment_refused
ORDER BY made_at DESC, kind;

-- add_to_outbox --
INSERT INTO outbox (payment_id, kind, body) VALUES (:payment_id, :kind, :body) ON CONFLICT DO NOTHING;

-- outbox --
-- Payments that the payee refused to take, as the payer says, wait for their date instead: they are not brought.
SELECT entry_id, payment_id, kind, body FROM outbox
WHERE outcome IS NULL
  AND NOT EXISTS (SELECT 1 FROM payment_answer
                  WHERE payment_answer.payment_id = outbox.payment_id AND payment_answer.answer = 'not_taken')
ORDER BY kind, entry_id;

-- outbox_all --
SELECT entry_id, payment_id, kind, body FROM outbox ORDER BY kind, entry_id;

-- outbox_outcome --
SELECT outcome, detail FROM outbox WHERE payment_id = :payment_id AND kind = :kind AND body = :body;

-- reopen_outbox --
-- A refusal that came before its payment was rejected; once somebody brought the payment it isn't.
UPDATE outbox SET outcome = NULL, detail = NULL
WHERE payment_id = :payment_id AND kind = :kind AND body = :body AND outcome = 'rejected';

-- settle_outbox --
UPDATE outbox SET outcome = :outcome, detail = :detail WHERE entry_id = :entry_id;

-- unsettled_call --
SELECT idempotency_key, asked_at FROM unsettled_call WHERE person_id = :person_id AND address = :address AND body = :body;

-- keep_unsettled_call --
INSERT INTO unsettled_call (person_id, address, body, idempotency_key, asked_at)
VALUES (:person_id, :address, :body, :idempotency_key, :asked_at)
ON CONFLICT (person_id, address, body) DO UPDATE SET asked_at = excluded.asked_at;

-- settle_call --
DELETE FROM unsettled_call WHERE idempotency_key = :idempotency_key;
