// Twin of tikicash/chain.py: from a payment back to its vouchers, the checks that a payee and the settlement share.
//
// A payment is as good as the chain of documents below it. The payee judges it with no network (rules.js), the
// operator judges it days later. If the two judged differently, an honest payee could hold money that is never paid.
// Order and codes: protocol/spec/03-payments.md.
import { Rejected } from "./errors.js";
import { NONCE_BYTES } from "./fields.js";
import { OPENS_NAME, commitment, isBundle, isPayment, isVoucher, keyId, toBytes } from "./messages.js";
import * as units from "./units.js";

/** @import { Certificate, IssuerKey, Opening, Payment, Piece, Voucher } from "./bodies.js" */
/** @import { Bundle, Message, Signed } from "./messages.js" */

/** @typedef {Signed<Voucher> | Signed<Payment>} Source */
/** @typedef {ReadonlyMap<string, Source>} Sources vouchers and payments by their 16-byte ids, parents first */
/** @typedef {ReadonlySet<string>} KeyIds */

/**
 * How large a bundle may be. Enforced before any signature is verified, so that no code keeps a phone busy.
 * @typedef {Readonly<{ documents_max: number, signatures_max: number, bytes_max: number, depth_max: number }>} Limits
 */
/**
 * The way of one piece: the voucher that its units are of, and the payments since, the last one included.
 * @typedef {Readonly<{ units: units.Units, voucher: Signed<Voucher>, payments: readonly Signed<Payment>[] }>} Trace
 */
/**
 * A payment with everything below it, in the order of the bundle. `payments` has parents first and ends with the
 * payment itself; `payer_id` owns the first piece; `depth` is the most hands that a unit of the payment went through.
 * @typedef {Readonly<{ payment: Signed<Payment>, sources: Sources, vouchers: readonly Signed<Voucher>[],
 *   payments: readonly Signed<Payment>[], certificates: readonly Signed<Certificate>[], payer_id: string,
 *   depth: number }>} Chain
 */

/** @type {Limits} */
export const LIMITS = Object.freeze({ documents_max: 12, signatures_max: 16, bytes_max: 2048, depth_max: 3 });

/**
 * Return the document that has an id which some check has found to be there.
 * @param {Sources} sources @param {string} id @returns {Source}
 */
export function sourceOf(sources, id) {
  const source = sources.get(id);
  if (!source) throw new RangeError(`no such parent: ${id}`);
  return source;
}

/** Return the key id of whoever owns what a voucher or a payment brings. @param {Source} source */
export function ownerId(source) {
  return isVoucher(source) ? keyId(source.body.key) : /** @type {Payment} */ (source.body).payee_id;
}

/**
 * Return the key ids of the operator: a payment to one of them is a hand-back.
 * @param {readonly IssuerKey[]} issuerKeys
 */
export function operatorIds(issuerKeys) {
  return new Set(issuerKeys.map((item) => keyId(item.key)));
}

/** Return the range of a piece. @param {Readonly<{ first: number, count: number }>} piece @returns {units.Units} */
export function rangeOf(piece) {
  return [piece.first, piece.count];
}

/**
 * Return the piece of a payment that a child's piece lies in (for a voucher: that itself), or null if outside.
 * @param {Source} source @param {Piece} piece @returns {Piece | null}
 */
export function enclosing(source, piece) {
  const { body } = source;
  if (isVoucher(source)) return units.contains(rangeOf(/** @type {Voucher} */ (body)), rangeOf(piece)) ? piece : null;
  const { pieces } = /** @type {Payment} */ (body);
  return pieces.find((candidate) => units.contains(rangeOf(candidate), rangeOf(piece))) ?? null;
}

/**
 * Return the voucher that a piece is of, and the payments between, root first.
 *
 * A piece lies inside one piece of its parent, so the way back is a line. Throws Rejected("piece_outside_parent").
 * @param {Piece} piece @param {Sources} sources @returns {[Signed<Voucher>, Signed<Payment>[]]}
 */
export function trace(piece, sources) {
  /** @type {Signed<Payment>[]} */
  const way = [];
  let at = piece;
  for (;;) {
    const source = sourceOf(sources, at.parent_id);
    const found = enclosing(source, at);
    if (found === null) throw new Rejected("piece_outside_parent");
    if (isVoucher(source)) return [source, way.reverse()];
    way.push(/** @type {Signed<Payment>} */ (source));
    at = found;
  }
}

/**
 * Return the way of each piece of a payment. Throws Rejected("piece_outside_parent").
 * @param {Signed<Payment>} payment @param {Sources} sources @returns {Trace[]}
 */
export function traces(payment, sources) {
  return payment.body.pieces.map((piece) => {
    const [voucher, between] = trace(piece, sources);
    return { units: rangeOf(piece), voucher, payments: [...between, payment] };
  });
}

/** Return the key ids through which units went: the voucher's key, then every payee. @param {Trace} way */
export function lineage(way) {
  return [keyId(way.voucher.body.key), ...way.payments.map((payment) => payment.body.payee_id)];
}

/**
 * Return a scanned message that is a bundle, or throw Rejected with the code that the caller has for others.
 * @param {Message} message @param {string} code
 */
export function asBundle(message, code) {
  if (!isBundle(message)) throw new Rejected(code);
  return message;
}

/**
 * Return the chain that a bundle holds, having verified no signature: limits, then shape.
 *
 * Throws Rejected, in this order: too_many_documents, too_many_signatures, bundle_too_large, not_a_payment,
 * document_repeated, parent_missing, unrelated_document, opening_matches_nothing, too_many_hands.
 * @param {Bundle} bundle @param {{ limits: Limits, operator: KeyIds }} given @returns {Chain}
 */
export function readChain(bundle, { limits, operator }) {
  checkSize(bundle, limits);
  const payment = bundle.documents.at(-1);
  if (!payment || !isPayment(payment)) throw new Rejected("not_a_payment");
  const sources = readSources(bundle.documents, bundle.certificates);
  checkRelated([payment], sources, bundle.certificates);
  checkOpenings(payment, sources, bundle);
  return {
    payment,
    sources,
    vouchers: [...sources.values()].filter(isVoucher),
    payments: [...sources.values()].filter(isPayment),
    certificates: bundle.certificates,
    payer_id: payerId(payment, sources),
    depth: checkDepth(sources, limits, operator),
  };
}

/**
 * Throw Rejected (too_many_documents, too_many_signatures, bundle_too_large) for a bundle above the limits.
 * @param {Bundle} bundle @param {Limits} limits
 */
export function checkSize(bundle, limits) {
  checkCounts(bundle.documents.length, bundle.certificates.length, limits);
  checkBytes(toBytes(bundle).length, limits);
}

/**
 * Throw Rejected (too_many_documents, too_many_signatures) for too many signed things.
 * @param {number} documents @param {number} others @param {Limits} limits
 */
export function checkCounts(documents, others, limits) {
  if (documents > limits.documents_max) throw new Rejected("too_many_documents", `${documents}`);
  if (documents + others > limits.signatures_max) throw new Rejected("too_many_signatures", `${documents + others}`);
}

/** Throw Rejected("bundle_too_large") for more bytes than the limit. @param {number} size @param {Limits} limits */
export function checkBytes(size, limits) {
  if (size > limits.bytes_max) throw new Rejected("bundle_too_large", `${size} bytes`);
}

/**
 * Return vouchers and payments by their 16-byte ids, each once, parents first.
 *
 * Throws Rejected: document_repeated, unrelated_document (a request), parent_missing.
 * @param {readonly Signed<any>[]} documents @param {readonly Signed<Certificate>[]} certificates
 * @returns {Map<string, Source>}
 */
export function readSources(documents, certificates) {
  if (new Set(certificates.map((item) => item.id)).size < certificates.length) {
    throw new Rejected("document_repeated", "certificate");
  }
  /** @type {Map<string, Source>} */
  const sources = new Map();
  for (const item of documents) {
    if (sources.has(item.short_id)) throw new Rejected("document_repeated", item.short_id);
    if (isPayment(item)) {
      for (const piece of item.body.pieces) {
        if (!sources.has(piece.parent_id)) throw new Rejected("parent_missing", piece.parent_id);
      }
    } else if (!isVoucher(item)) {
      throw new Rejected("unrelated_document", "a request");
    }
    sources.set(item.short_id, item);
  }
  return sources;
}

/**
 * Return the key id that has to have signed a payment: the owner of its first piece.
 * @param {Signed<Payment>} payment @param {Sources} sources
 */
export function payerId(payment, sources) {
  return ownerId(sourceOf(sources, payment.body.pieces[0].parent_id));
}

/**
 * Throw Rejected("unrelated_document") unless everything is below the payments or certifies a payer in them.
 * @param {readonly Signed<Payment>[]} payments @param {Sources} sources
 * @param {readonly Signed<Certificate>[]} certificates
 */
export function checkRelated(payments, sources, certificates) {
  const related = new Set(payments.map((payment) => payment.short_id));
  const payers = new Set();
  for (const source of [...sources.values()].reverse()) {
    if (!related.has(source.short_id)) throw new Rejected("unrelated_document", source.short_id);
    if (isPayment(source)) {
      for (const piece of source.body.pieces) related.add(piece.parent_id);
      payers.add(payerId(source, sources));
    }
  }
  for (const certificate of certificates) {
    if (!payers.has(keyId(certificate.body.key))) throw new Rejected("unrelated_document", "certificate");
  }
}

/**
 * Return the name commitments that the operator signed for a key, null among them if one has none.
 * @param {string} payer @param {Sources} sources @param {readonly Signed<Certificate>[]} certificates
 * @returns {Set<string | null>}
 */
export function nameCommits(payer, sources, certificates) {
  const issued = [...[...sources.values()].filter(isVoucher), ...certificates];
  return new Set(issued.filter((item) => keyId(item.body.key) === payer).map((item) => item.body.name_commit));
}

/**
 * Throw Rejected("opening_matches_nothing") for an opening of anything but the payer's name or the memo.
 * @param {Signed<Payment>} payment @param {Sources} sources @param {Bundle} bundle
 */
export function checkOpenings(payment, sources, bundle) {
  const names = nameCommits(payerId(payment, sources), sources, bundle.certificates);
  for (const opening of bundle.openings) {
    const hidden = opening.opens === OPENS_NAME ? names : new Set([payment.body.memo_commit]);
    if (!hidden.has(commitment(opening))) throw new Rejected("opening_matches_nothing");
  }
}

/**
 * Return the text that an opening of a kind shows (the first, if several do), or null.
 * @param {readonly Opening[]} openings @param {number} opens
 */
export function opened(openings, opens) {
  return openings.find((opening) => opening.opens === opens)?.text ?? null;
}

/**
 * Return through how many hands the units of the last payment went, at most: 1 straight from a voucher.
 *
 * A hand-back does not count, so that money at the last depth can still be handed back. One hand more is let through
 * if it is a refund to the signer of its parents. Throws Rejected("too_many_hands").
 * @param {Sources} sources @param {Limits} limits @param {KeyIds} operator
 */
export function checkDepth(sources, limits, operator) {
  /** @type {Map<string, number>} */
  const depths = new Map();
  let depth = 0;
  for (const source of sources.values()) {
    depth = 0;
    if (isPayment(source)) {
      const handedOn = !operator.has(source.body.payee_id);
      depth = Math.max(...source.body.pieces.map((piece) => depths.get(piece.parent_id) ?? 0)) + (handedOn ? 1 : 0);
      const refund = depth === limits.depth_max + 1 && isRefund(source, sources);
      if (handedOn && depth > limits.depth_max && !refund) throw new Rejected("too_many_hands", `${depth}`);
    }
    depths.set(source.short_id, depth);
  }
  return depth;
}

/**
 * Tell whether a payment goes back to whoever signed every one of its parents.
 * @param {Signed<Payment>} payment @param {Sources} sources
 */
export function isRefund(payment, sources) {
  const parents = payment.body.pieces.map((piece) => sourceOf(sources, piece.parent_id));
  return parents.every((parent) => isPayment(parent) && payerId(parent, sources) === payment.body.payee_id);
}

/** Return the nonce of every refund of a sale: the first 8 bytes of its identity. @param {Signed<Payment>} sale */
export const saleNonce = (sale) => sale.id.slice(0, 2 * NONCE_BYTES);

/**
 * Return the payment that another gives back, all or part of it, or null if it gives none back.
 *
 * A refund of a sale has pieces of the sale alone, goes to whoever paid it, and bears its nonce.
 * @param {Signed<Payment>} payment @param {Sources} sources @returns {Signed<Payment> | null}
 */
export function refundedSale(payment, sources) {
  const parents = new Set(payment.body.pieces.map((piece) => piece.parent_id));
  const sale = sourceOf(sources, payment.body.pieces[0].parent_id);
  if (parents.size > 1 || !isPayment(sale)) return null;
  const isTied = payment.body.payee_id === payerId(sale, sources) && payment.body.nonce === saleNonce(sale);
  return isTied ? sale : null;
}

/**
 * Return what payments need to be judged: everything below them, parents first, and their payers' certificates.
 *
 * Of several certificates of one key, takes the newest that may hand on. Throws Rejected("parent_missing").
 * @param {readonly Signed<Payment>[]} payments @param {readonly Signed<any>[]} documents
 * @param {readonly Signed<Certificate>[]} certificates @returns {[Source[], Signed<Certificate>[]]}
 */
export function gather(payments, documents, certificates) {
  /** @type {Map<string, Source>} */
  const pool = new Map();
  for (const item of documents) if (isVoucher(item) || isPayment(item)) pool.set(item.short_id, item);
  /** @type {Map<string, Source>} */
  const sources = new Map();
  /** @type {Set<string>} */
  const payers = new Set();
  const add = (/** @type {string} */ id) => {
    if (sources.has(id)) return;
    const source = pool.get(id);
    if (!source) throw new Rejected("parent_missing", id);
    if (isPayment(source)) {
      for (const piece of source.body.pieces) add(piece.parent_id);
      if (source.body.pieces.some((piece) => isPayment(sourceOf(sources, piece.parent_id)))) {
        payers.add(payerId(source, sources));
      }
    }
    sources.set(id, source);
  };
  for (const payment of payments) {
    pool.set(payment.short_id, payment);
    add(payment.short_id);
  }
  const best = bestCertificates(certificates);
  const chosen = [...payers].sort().flatMap((payer) => best.get(payer) ?? []);
  return [[...sources.values()], chosen];
}

/**
 * Compare two hex strings as bytes compare: not by the rules of any language.
 * @param {string} one @param {string} other
 */
export function inOrder(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** @param {readonly Signed<Certificate>[]} certificates @returns {Map<string, Signed<Certificate>>} */
function bestCertificates(certificates) {
  const worstFirst = [...certificates].sort(
    (one, other) =>
      Number(one.body.may_hand_on) - Number(other.body.may_hand_on) ||
      one.body.issued_at - other.body.issued_at ||
      inOrder(one.id, other.id),
  );
  return new Map(worstFirst.map((item) => [keyId(item.body.key), item]));
}
