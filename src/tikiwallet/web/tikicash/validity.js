// Twin of tikicash/validity.py: is it signed, owned and counted right. The checks on a chain that need keys.
//
// The payee runs them with his clock, his requests and his limits around them (rules.accept). The settlement runs them
// bare (checkChain), because dates, requests and revocations are the payee's protection and never a reason to take a
// claim from him. Rule: protocol/spec/03-payments.md and 04-settlement.md.
import { LIMITS, asBundle, enclosing, operatorIds, ownerId, rangeOf, readChain, sourceOf, traces } from "./chain.js";
import { verifySignature } from "./cose.js";
import { Rejected } from "./errors.js";
import { isPayment, keyId, messageOf } from "./messages.js";
import * as units from "./units.js";

/** @import { Certificate, IssuerKey, Payment, Revocations, SignedTime, Voucher } from "./bodies.js" */
/** @import { Chain, KeyIds, Limits } from "./chain.js" */
/** @import { Verify } from "./cose.js" */
/** @import { Message, Signed } from "./messages.js" */

/** @typedef {Signed<Voucher> | Signed<Certificate> | Signed<SignedTime> | Signed<Revocations>} Issued */

/**
 * The settlement judges everything below a payment, however many bundles brought it, so only the depth is limited.
 * @type {Limits}
 */
export const SETTLEMENT_LIMITS = Object.freeze({
  ...LIMITS,
  documents_max: 2 ** 16,
  signatures_max: 2 ** 17,
  bytes_max: 2 ** 26,
});

/** Return when the operator signed a document, in unix seconds. @param {Issued} document */
export function issuedAt({ body }) {
  return "now" in body ? body.now : body.issued_at;
}

/**
 * Return the public key with which the operator should have signed a document.
 *
 * The number finds the key and its dates must hold the date of the document. Throws Rejected("issuer_unknown").
 * @param {Issued} document @param {readonly IssuerKey[]} issuerKeys
 */
export function findIssuer(document, issuerKeys) {
  const at = issuedAt(document);
  const found = issuerKeys.find(
    (issuer) =>
      issuer.net === document.body.net &&
      issuer.number === document.body.issuer &&
      issuer.valid_from <= at &&
      at <= issuer.valid_until,
  );
  if (!found) throw new Rejected("issuer_unknown", `number ${document.body.issuer}`);
  return found.key;
}

/**
 * Check that the operator signed a voucher, certificate, signed time or revocation list.
 *
 * Throws Rejected: issuer_unknown, operator_signature_wrong.
 * @param {Issued} document @param {{ issuerKeys: readonly IssuerKey[], verify?: Verify }} given
 */
export async function checkIssued(document, { issuerKeys, verify = verifySignature }) {
  if (!(await verify(findIssuer(document, issuerKeys), messageOf(document), document.signature))) {
    throw new Rejected("operator_signature_wrong", document.short_id);
  }
}

/**
 * Return an issuer key that the root key signed, or throw Rejected("operator_signature_wrong").
 * @param {Signed<IssuerKey>} document @param {{ rootKey: string, verify?: Verify }} given
 */
export async function checkIssuerKey(document, { rootKey, verify = verifySignature }) {
  if (!(await verify(rootKey, messageOf(document), document.signature))) {
    throw new Rejected("operator_signature_wrong", "issuer key");
  }
  return document.body;
}

/**
 * Check that every document is of one network and one currency. Throws Rejected: wrong_network, wrong_currency.
 * @param {Chain} chain @param {{ net: number, currency: number }} given
 */
export function checkNetwork(chain, { net, currency }) {
  const sources = [...chain.sources.values()];
  if ([...sources, ...chain.certificates].some((item) => item.body.net !== net)) throw new Rejected("wrong_network");
  if (sources.some((item) => item.body.currency !== currency)) throw new Rejected("wrong_currency");
}

/** Return what the operator signed in a chain: its vouchers, then its certificates. @param {Chain} chain */
export function issuedIn(chain) {
  return [...chain.vouchers, ...chain.certificates];
}

/**
 * Check that the operator's key is known for each voucher and certificate. Throws Rejected("issuer_unknown").
 * @param {Chain} chain @param {readonly IssuerKey[]} issuerKeys
 */
export function checkIssuersKnown(chain, issuerKeys) {
  for (const document of issuedIn(chain)) findIssuer(document, issuerKeys);
}

/**
 * Check every payment of a chain, parents first, and the amount limits printed in the vouchers if asked to.
 *
 * Throws Rejected: parents_of_several_owners, handed_back_already, certificate_missing, payment_signature_wrong,
 * piece_outside_parent, pieces_overlap, total_differs, may_not_hand_on, locked_to_another, payment_above_limit.
 * @param {Chain} chain @param {{ operator: KeyIds, limitPayments: boolean, verify?: Verify }} given
 */
export async function checkPayments(chain, { operator, limitPayments, verify = verifySignature }) {
  const keys = new Map(issuedIn(chain).map((item) => [keyId(item.body.key), item.body.key]));
  for (const payment of chain.payments) {
    await checkSigner(payment, chain, { keys, operator, verify });
    checkPieces(payment, chain);
    checkHandingOn(payment, chain, { operator });
    checkTerms(payment, chain, { operator, limitPayments });
  }
}

/**
 * Check that one key owns every parent of a payment, is not the operator's, and signed the payment.
 *
 * Throws Rejected: parents_of_several_owners, handed_back_already, certificate_missing, payment_signature_wrong.
 * @param {Signed<Payment>} payment @param {Chain} chain
 * @param {{ keys: ReadonlyMap<string, string>, operator: KeyIds, verify: Verify }} given
 */
export async function checkSigner(payment, chain, { keys, operator, verify }) {
  const [owner, ...others] = new Set(
    payment.body.pieces.map((piece) => ownerId(sourceOf(chain.sources, piece.parent_id))),
  );
  if (others.length > 0) throw new Rejected("parents_of_several_owners", payment.short_id);
  if (operator.has(owner)) throw new Rejected("handed_back_already", payment.short_id);
  const key = keys.get(owner);
  if (key === undefined) throw new Rejected("certificate_missing", owner);
  if (!(await verify(key, messageOf(payment), payment.signature))) {
    throw new Rejected("payment_signature_wrong", payment.short_id);
  }
}

/**
 * Check that each piece lies in one piece of its parent, that no unit counts twice, and the total.
 *
 * Throws Rejected: piece_outside_parent, pieces_overlap, total_differs.
 * @param {Signed<Payment>} payment @param {Chain} chain
 */
export function checkPieces(payment, chain) {
  const { pieces, total } = payment.body;
  for (const piece of pieces) {
    if (enclosing(sourceOf(chain.sources, piece.parent_id), piece) === null) {
      throw new Rejected("piece_outside_parent", payment.short_id);
    }
  }
  if (!units.disjoint(pieces.map(rangeOf))) throw new Rejected("pieces_overlap", payment.short_id);
  // Exact: disjoint ranges of numbers below 2^53 hold fewer than 2^53 units together.
  const sum = pieces.reduce((soFar, piece) => soFar + piece.count, 0);
  if (total !== sum) throw new Rejected("total_differs", payment.short_id);
}

/**
 * Check that whoever hands on received money has a certificate that lets him. Handing back needs none.
 *
 * Throws Rejected: certificate_missing, may_not_hand_on.
 * @param {Signed<Payment>} payment @param {Chain} chain @param {{ operator: KeyIds }} given
 */
export function checkHandingOn(payment, chain, { operator }) {
  const parents = payment.body.pieces.map((piece) => sourceOf(chain.sources, piece.parent_id));
  if (operator.has(payment.body.payee_id) || !parents.some(isPayment)) return;
  const owner = ownerId(parents[0]);
  const its = chain.certificates.filter((item) => keyId(item.body.key) === owner);
  if (its.length === 0) throw new Rejected("certificate_missing", owner);
  if (!its.some((item) => item.body.may_hand_on)) throw new Rejected("may_not_hand_on", owner);
}

/**
 * Check what the vouchers say about a payment: who may receive it, and how much at once if asked to.
 *
 * Throws Rejected: locked_to_another, payment_above_limit.
 * @param {Signed<Payment>} payment @param {Chain} chain @param {{ operator: KeyIds, limitPayments: boolean }} given
 */
export function checkTerms(payment, chain, { operator, limitPayments }) {
  const payee = payment.body.payee_id;
  for (const way of traces(payment, chain.sources)) {
    const { audience_key: audience, payment_max: paymentMax } = way.voucher.body;
    if (audience !== null && payee !== keyId(audience) && !operator.has(payee)) {
      throw new Rejected("locked_to_another", payment.short_id);
    }
    if (limitPayments && payment.body.total > paymentMax) throw new Rejected("payment_above_limit", `${paymentMax}`);
  }
}

/**
 * Return the chain of a scanned bundle that the settlement counts: valid for ever, whoever brings it and whenever.
 *
 * Signatures, ownership, pieces, total, depth, may_hand_on and audience lock; not dates, requests, revocations or the
 * limit of one payment, which protect the payee when he accepts. Issuer keys must have passed checkIssuerKey.
 * Throws Rejected with the codes of readChain, then wrong_network, wrong_currency, issuer_unknown,
 * operator_signature_wrong, then those of checkPayments.
 * @param {Message} message
 * @param {{ net: number, issuerKeys: readonly IssuerKey[], limits?: Limits, verify?: Verify }} given
 */
export async function checkChain(message, { net, issuerKeys, limits = LIMITS, verify = verifySignature }) {
  const operator = operatorIds(issuerKeys);
  const chain = readChain(asBundle(message, "not_a_payment"), { limits, operator });
  checkNetwork(chain, { net, currency: chain.payment.body.currency });
  checkIssuersKnown(chain, issuerKeys);
  for (const document of issuedIn(chain)) await checkIssued(document, { issuerKeys, verify });
  await checkPayments(chain, { operator, limitPayments: false, verify });
  return chain;
}
