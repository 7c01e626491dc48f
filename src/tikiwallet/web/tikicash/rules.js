// Twin of tikicash/rules.py: what a phone checks, in order, before it believes a code.
//
// Two people stand at a counter and there is no network to ask. The payee's phone has to say yes or no by itself, the
// same on every phone, and a yes must stay a yes at settlement. Everything it may look at is an argument, so that one
// input has one answer in both languages. Rules: protocol/spec/03-payments.md.
import * as bookOfUnits from "./book.js";
import {
  LIMITS,
  asBundle,
  checkSize,
  nameCommits,
  opened,
  operatorIds,
  readChain,
  refundedSale,
  traces,
} from "./chain.js";
import { verifySignature } from "./cose.js";
import { Rejected } from "./errors.js";
import { REVOKED_BYTES } from "./fields.js";
import { OPENS_MEMO, OPENS_NAME, commitment, isRequest, keyId, messageOf } from "./messages.js";
import { earliestDates, howSafe } from "./safety.js";
import {
  checkIssued,
  checkIssuersKnown,
  checkNetwork,
  checkPayments,
  findIssuer,
  issuedAt,
  issuedIn,
} from "./validity.js";

/** @import { Certificate, IssuerKey, Payment, Receipt, Refusal, Request, Revocations } from "./bodies.js" */
/** @import { Book, Holding } from "./book.js" */
/** @import { Chain, Limits } from "./chain.js" */
/** @import { Verify } from "./cose.js" */
/** @import { Bundle, Message, Signed } from "./messages.js" */
/** @import { HowSafe } from "./safety.js" */

/**
 * Everything besides the bundle that may decide whether a payment is accepted. Times in unix seconds; `now` is the
 * phone's clock, `newest_signed_time` the newest time that it ever saw the operator sign. Each issuer key passed
 * checkIssuerKey. `my_keys` are those with which I may still be paid; `my_certificate` is of the key that is paid.
 * @typedef {Readonly<{ net: number, now: number, newest_signed_time: number, open_requests: readonly Request[],
 *   issuer_keys: readonly IssuerKey[], revocations: Revocations | null, my_keys: readonly string[],
 *   my_certificate: Certificate | null, book: Book, limits?: Limits }>} AcceptContext
 */
/**
 * A payment that holds. Store the bundle and the new book durably, then sign the receipt. `sale` is the payment of mine
 * that this one gives back, null if it answers a request; `payer_name` is as the operator certified it, or null;
 * `newest_signed_time` now includes what the operator signed in this bundle.
 * @typedef {Readonly<{ payment: Signed<Payment>, chain: Chain, sale: Signed<Payment> | null, payer_id: string,
 *   payer_name: string | null, memo: string | null, how_safe: HowSafe, book: Book,
 *   newest_signed_time: number }>} Acceptance
 */
/**
 * A request that holds. `verified_name` is as the operator certified it; the name in the request is only what the
 * payee says.
 * @typedef {Readonly<{ request: Signed<Request>, certificate: Signed<Certificate> | null,
 *   verified_name: string | null }>} Asked
 */

/**
 * Tell whether a 16-byte key id is on the list; no list revokes nobody.
 * @param {Revocations | null} revocations @param {string} subject
 */
export function isRevoked(revocations, subject) {
  return revocations !== null && revocations.entries.includes(subject.slice(0, 2 * REVOKED_BYTES));
}

/**
 * Return what a payee gets from a scanned bundle, or throw Rejected with the first code in order.
 *
 * Limits and shape (codes of readChain, then refund_is_claim_only); wrong_network, wrong_currency;
 * payment_already_accepted, no_open_request, not_for_me, wrong_amount; issuer_unknown; spend_by_passed,
 * certificate_expired; key_revoked; operator_signature_wrong; the codes of checkPayments; already_held, spent_twice.
 * Never verifies more than limits.signatures_max signatures.
 * @param {Message} message @param {{ context: AcceptContext, verify?: Verify }} given @returns {Promise<Acceptance>}
 */
export async function accept(message, { context, verify = verifySignature }) {
  const bundle = asBundle(message, "not_a_payment");
  const limits = context.limits ?? LIMITS;
  const chain = readChain(bundle, { limits, operator: operatorIds(context.issuer_keys) });
  if (chain.depth > limits.depth_max) throw new Rejected("refund_is_claim_only");
  const sale = findSale(chain, context, { openRequests: context.open_requests });
  return judgeChain(bundle, chain, sale, { context, verify });
}

/**
 * Return what a refund of a sale of mine brings, of depth 4 too, or throw Rejected with the first code in order.
 *
 * At depth 4 no phone takes the units any more: they are never spendable, and can only be brought to the operator or
 * handed back to him. The book holds them all the same, so that no unit is given back twice. Codes and order are those
 * of accept, without refund_is_claim_only and with no request open.
 * @param {Message} message @param {{ context: AcceptContext, verify?: Verify }} given @returns {Promise<Acceptance>}
 */
export async function acceptClaim(message, { context, verify = verifySignature }) {
  const bundle = asBundle(message, "not_a_payment");
  const limits = context.limits ?? LIMITS;
  const chain = readChain(bundle, { limits, operator: operatorIds(context.issuer_keys) });
  const sale = findSale(chain, context, { openRequests: [] });
  return judgeChain(bundle, chain, sale, { context, verify });
}

/**
 * Return what a payment brings that is for me, once everything below it holds. Throws what accept throws.
 * @param {Bundle} bundle @param {Chain} chain @param {Signed<Payment> | null} sale
 * @param {{ context: AcceptContext, verify: Verify }} given @returns {Promise<Acceptance>}
 */
export async function judgeChain(bundle, chain, sale, { context, verify }) {
  checkIssuersKnown(chain, context.issuer_keys);
  const newestSignedTime = Math.max(context.newest_signed_time, ...issuedIn(chain).map(issuedAt));
  // The clock is never below what the operator signed, so that turning it back revives no old money.
  const now = Math.max(context.now, newestSignedTime);
  checkDates(chain, { now });
  checkNotRevoked(chain, context.revocations);
  for (const document of issuedIn(chain)) await checkIssued(document, { issuerKeys: context.issuer_keys, verify });
  await checkPayments(chain, { operator: operatorIds(context.issuer_keys), limitPayments: true, verify });
  bookOfUnits.checkNew(context.book, traces(chain.payment, chain.sources));
  const [spend_by, claim_by] = earliestDates(chain);
  const holdings = bookOfUnits.newHoldings(chain, { spend_by });
  return {
    payment: chain.payment,
    chain,
    sale,
    payer_id: chain.payer_id,
    payer_name: opened(bundle.openings, OPENS_NAME),
    memo: opened(bundle.openings, OPENS_MEMO),
    how_safe: judge(holdings, { context, now, spend_by, claim_by }),
    book: bookOfUnits.receive(context.book, holdings),
    newest_signed_time: newestSignedTime,
  };
}

/**
 * Return the payment of mine that a payment gives back, or null if it answers one of my open requests.
 *
 * That the sale is mine is told from the chain alone: its payer's key is, and it has to have signed the sale.
 * Throws Rejected: wrong_network, wrong_currency, payment_already_accepted, no_open_request, not_for_me, wrong_amount.
 * @param {Chain} chain @param {AcceptContext} context @param {{ openRequests: readonly Request[] }} given
 * @returns {Signed<Payment> | null}
 */
export function findSale(chain, context, { openRequests }) {
  const payment = chain.payment.body;
  const request = openRequests.find((item) => item.nonce === payment.nonce);
  checkNetwork(chain, { net: context.net, currency: request ? request.currency : payment.currency });
  if (context.book.accepted.some((item) => item.payment_id === chain.payment.short_id)) {
    throw new Rejected("payment_already_accepted");
  }
  if (!request) {
    const sale = refundedSale(chain.payment, chain.sources);
    if (sale === null) throw new Rejected("no_open_request");
    if (!context.my_keys.some((key) => keyId(key) === payment.payee_id)) throw new Rejected("not_for_me");
    return sale;
  }
  if (payment.payee_id !== keyId(request.payee_key) || !context.my_keys.includes(request.payee_key)) {
    throw new Rejected("not_for_me");
  }
  if (payment.total !== request.amount) throw new Rejected("wrong_amount", `${payment.total} for ${request.amount}`);
  return null;
}

/**
 * Check that no voucher or certificate of a chain is out of date; a date is good to its last second.
 *
 * Throws Rejected: spend_by_passed, certificate_expired.
 * @param {Chain} chain @param {{ now: number }} given
 */
export function checkDates(chain, { now }) {
  if (chain.vouchers.some((item) => item.body.spend_by < now)) throw new Rejected("spend_by_passed");
  if (chain.certificates.some((item) => item.body.valid_until < now)) throw new Rejected("certificate_expired");
}

/**
 * Check that no key that the money went through is revoked. Throws Rejected("key_revoked").
 * @param {Chain} chain @param {Revocations | null} revocations
 */
export function checkNotRevoked(chain, revocations) {
  const owners = [
    ...issuedIn(chain).map((item) => keyId(item.body.key)),
    ...chain.payments.map((item) => item.body.payee_id),
  ];
  if (owners.some((owner) => isRevoked(revocations, owner))) throw new Rejected("key_revoked");
}

/**
 * Return how safe new holdings are, given the book of a context and the certificate of the key that is paid.
 * @param {readonly Holding[]} holdings
 * @param {{ context: AcceptContext, now: number, spend_by: number, claim_by: number }} given
 */
export function judge(holdings, { context, now, spend_by, claim_by }) {
  const owner = holdings[0].owner_id;
  const certificate = context.my_certificate;
  return howSafe({
    before: bookOfUnits.claims(context.book, { owner_id: owner }),
    new_: holdings.map((item) => ({ terms: item.terms, count: item.count })),
    certificate: certificate !== null && keyId(certificate.key) === owner ? certificate : null,
    spend_by,
    claim_by,
    now,
    // Not what this bundle brought: a fresh voucher says nothing about how old my list of blocked phones is.
    newest_signed_time: context.newest_signed_time,
  });
}

/**
 * Return what a payer should show before he confirms, or throw Rejected; times in unix seconds.
 *
 * Codes in order: too_many_documents, too_many_signatures, bundle_too_large, not_a_request, unrelated_document,
 * opening_matches_nothing, wrong_network, issuer_unknown, certificate_expired, key_revoked, operator_signature_wrong,
 * request_signature_wrong.
 * @param {Message} message
 * @param {{ net: number, now: number, newest_signed_time: number, issuer_keys: readonly IssuerKey[],
 *   revocations: Revocations | null, limits?: Limits, verify?: Verify }} given @returns {Promise<Asked>}
 */
export async function verifyRequest(message, given) {
  const { net, now, newest_signed_time, issuer_keys: issuerKeys, revocations } = given;
  const { limits = LIMITS, verify = verifySignature } = given;
  const bundle = asBundle(message, "not_a_request");
  checkSize(bundle, limits);
  const [signed, ...others] = bundle.documents;
  if (!signed || others.length > 0 || !isRequest(signed)) throw new Rejected("not_a_request");
  const request = signed.body;
  const payee = keyId(request.payee_key);
  if (bundle.certificates.length > 1 || bundle.certificates.some((item) => keyId(item.body.key) !== payee)) {
    throw new Rejected("unrelated_document", "certificate");
  }
  const names = nameCommits(payee, new Map(), bundle.certificates);
  if (bundle.openings.some((item) => item.opens !== OPENS_NAME || !names.has(commitment(item)))) {
    throw new Rejected("opening_matches_nothing");
  }
  if (request.net !== net || bundle.certificates.some((item) => item.body.net !== net)) {
    throw new Rejected("wrong_network");
  }
  for (const certificate of bundle.certificates) {
    findIssuer(certificate, issuerKeys);
    if (certificate.body.valid_until < Math.max(now, newest_signed_time)) throw new Rejected("certificate_expired");
  }
  if (isRevoked(revocations, payee)) throw new Rejected("key_revoked");
  for (const certificate of bundle.certificates) await checkIssued(certificate, { issuerKeys, verify });
  if (!(await verify(request.payee_key, messageOf(signed), signed.signature))) {
    throw new Rejected("request_signature_wrong");
  }
  return {
    request: signed,
    certificate: bundle.certificates[0] ?? null,
    verified_name: opened(bundle.openings, OPENS_NAME),
  };
}

/**
 * Check that the payee of a payment of mine says he has it (receipt), or that he claims nothing from it (refusal:
 * the units are not mine again, they come back when the voucher closes). The key is the one in his request.
 *
 * Throws Rejected: answer_to_another_payment, answer_signature_wrong.
 * @param {Signed<Receipt> | Signed<Refusal>} answer
 * @param {{ payment: Signed<Payment>, payeeKey: string, verify?: Verify }} given
 */
export async function checkAnswer(answer, { payment, payeeKey, verify = verifySignature }) {
  if (answer.body.payment_id !== payment.short_id || keyId(payeeKey) !== payment.body.payee_id) {
    throw new Rejected("answer_to_another_payment");
  }
  if (!(await verify(payeeKey, messageOf(answer), answer.signature))) throw new Rejected("answer_signature_wrong");
}

/**
 * Check a receipt; see checkAnswer.
 * @type {(receipt: Signed<Receipt>, given: Parameters<typeof checkAnswer>[1]) => Promise<void>}
 */
export const verifyReceipt = checkAnswer;

/**
 * Check a refusal; see checkAnswer.
 * @type {(refusal: Signed<Refusal>, given: Parameters<typeof checkAnswer>[1]) => Promise<void>}
 */
export const verifyRefusal = checkAnswer;
