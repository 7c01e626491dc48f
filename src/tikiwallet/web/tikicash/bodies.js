// Twin of tikicash/bodies.py: what each document says. Types only: amounts are minor units, times are unix seconds,
// keys, ids, nonces, salts and commitments are lowercase hex. Fields and limits: protocol/spec/02-documents.md.

/**
 * The operator says: these numbered minor units belong to this key, until these dates.
 * @typedef {Readonly<{ net: number, issuer: number, currency: number, first: number, count: number, key: string,
 *   issued_at: number, spend_by: number, claim_by: number, payment_max: number, cover: number, tier: number,
 *   name_commit: string | null, audience_key: string | null }>} Voucher
 */
/**
 * The operator says: this phone is registered, may or may not hand on, and is covered up to a budget.
 * @typedef {Readonly<{ net: number, issuer: number, key: string, issued_at: number, valid_until: number, tier: number,
 *   cover_budget: number, may_hand_on: boolean, name_commit: string | null }>} Certificate
 */
/**
 * The payee says: pay this amount to this key. The name is what he calls himself; nobody has checked it.
 * @typedef {Readonly<{ net: number, currency: number, amount: number, nonce: string, payee_key: string,
 *   asked_at: number, name: string | null }>} Request
 */
/**
 * Units first .. first + count - 1 of one voucher or of one earlier payment.
 * @typedef {Readonly<{ parent_id: string, first: number, count: number }>} Piece
 */
/**
 * The owner of some units says: they belong to this payee now.
 * @typedef {Readonly<{ net: number, currency: number, pieces: readonly Piece[], total: number, payee_id: string,
 *   nonce: string, paid_at: number, memo_commit: string | null }>} Payment
 */
/** The payee says: I have this payment. @typedef {Readonly<{ payment_id: string, accepted_at: number }>} Receipt */
/**
 * The payee says: I claim nothing from this payment, and why. It is not a payment back.
 * @typedef {Readonly<{ payment_id: string, reason: string }>} Refusal
 */
/**
 * The operator says what time it is, so that a phone's clock cannot be turned back behind it.
 * @typedef {Readonly<{ net: number, issuer: number, now: number }>} SignedTime
 */
/**
 * The operator says which keys to take no money from any more. Entries are the first 8 bytes of key ids.
 * @typedef {Readonly<{ net: number, issuer: number, epoch: number, now: number,
 *   entries: readonly string[] }>} Revocations
 */
/**
 * The root key says: this key signs for the operator under this number, for documents issued between two dates.
 * @typedef {Readonly<{ net: number, number: number, key: string, valid_from: number, valid_until: number }>} IssuerKey
 */
/**
 * What a commitment hides: the salt and the text, and whether it is a name or a memo.
 * @typedef {Readonly<{ opens: number, salt: string, text: string }>} Opening
 */
/**
 * @typedef {Voucher | Certificate | Request | Payment | Receipt | Refusal | SignedTime | Revocations | IssuerKey} Body
 */

export {};
