// A payment of mine: signed, stored whole, and read again.
//
// Whatever it is for (a request, a refund, money on its way home), it becomes durable in one way: units, payment and
// outbox in one transaction, judged as the operator will judge it, before anybody sees its code.
import { noteSigned } from "../platform.js";
import { find, remember, write } from "../store.js";
import { handOn } from "../tikicash/book.js";
import { LIMITS, checkSize, operatorIds, rangeOf } from "../tikicash/chain.js";
import { PAYMENT } from "../tikicash/cose.js";
import { Rejected } from "../tikicash/errors.js";
import * as messages from "../tikicash/messages.js";
import { contains } from "../tikicash/units.js";
import { checkChain } from "../tikicash/validity.js";
import { certificateOf, signerOf } from "./keys.js";
import { nowFor, readBook, readTrust } from "./trust.js";

/** @import { Opening, Payment, Piece } from "../tikicash/bodies.js" */
/** @import { Book } from "../tikicash/book.js" */
/** @import { Bundle, Signed } from "../tikicash/messages.js" */
/** @import { Key } from "./keys.js" */
/** @import { Trust } from "./trust.js" */

/**
 * A row of the table `paid`. `request_ref` is the payee and the nonce that he drew, "" for a hand-back or a refund;
 * `answer` is "", "received", "refused" or "not_taken"; `refund_of` is the payment that it gives back, if it does.
 * Times in unix seconds.
 * @typedef {{ payment_id: string, request_ref: string, payee_key: string, payee_name: string, is_verified: boolean,
 *   amount_minor: number, memo: string, made_at: number, claim_by: number, is_hand_back: boolean, code: string,
 *   answer: string, answered_at: number | null, refund_of?: string }} Paid
 */

/**
 * What to sign: which units, to whom, and what it answers. `currency` is ISO 4217 numeric.
 * @typedef {{ pieces: Piece[], currency: number, payee_key: string, payee_name: string, is_verified: boolean,
 *   nonce: string, request_ref: string, memo: Opening | null, is_hand_back: boolean, refund_of: string }} Order
 */

/**
 * Sign a payment with a key and store it whole, then return it. Only inside `exclusive`.
 *
 * Throws Rejected("not_enough_offline_money") for a piece that is not held.
 * @param {Key} key @param {Order} order @returns {Promise<Paid>}
 */
export async function makePayment(key, { pieces, currency, nonce, memo, ...told }) {
  const [trust, book] = [await readTrust(), await readBook()];
  /** @type {Payment} */
  const body = {
    net: trust.net,
    currency,
    pieces,
    total: pieces.reduce((sum, piece) => sum + piece.count, 0),
    payee_id: messages.keyId(told.payee_key),
    nonce,
    paid_at: nowFor(trust),
    memo_commit: memo && messages.commitment(memo),
  };
  /** @type {Signed<Payment>} */
  const payment = await messages.sign(PAYMENT, body, signerOf(key));
  const bundle = await assemble(payment, book, key, memo);
  await checkOwnWork(bundle, trust);
  /** @type {Paid} */
  const row = {
    ...told,
    memo: memo?.text ?? "",
    payment_id: payment.short_id,
    amount_minor: body.total,
    made_at: body.paid_at,
    claim_by: Math.min(...pieces.map((piece) => holdingOf(book, piece).terms.claim_by)),
    code: messages.toCode(bundle),
    answer: told.is_hand_back ? "received" : "",
    answered_at: null,
  };
  const signed = (key.signed ?? 0) + 1;
  await write([
    { table: "keys", put: { ...key, signed } },
    remember("book", handOn(book, payment, { operator: operatorIds(trust.issuer_keys) })),
    { table: "paid", put: row },
    { table: "outbox", put: { ...outboxEntry(row.payment_id, "bundle"), bytes: messages.toBytes(bundle) } },
  ]);
  noteSigned(signed); // only now: see platform.signedBeside
  return row;
}

/**
 * Return a row of the outbox without its bytes. An entry is named after what it carries, so that it is there once.
 * @param {string} paymentId @param {"bundle" | "refusal"} kind
 */
export function outboxEntry(paymentId, kind) {
  return { entry_id: `${kind} ${paymentId}`, payment_id: paymentId, kind, outcome: "", code: "", detail: "" };
}

/**
 * Return what a payment's code carries: ancestors (parents first), certificates, the payment, openings.
 * @param {Signed<Payment>} payment @param {Book} book @param {Key} key @param {Opening | null} memo
 */
async function assemble(payment, book, key, memo) {
  /** @type {Map<string, Signed<any>>} */
  const documents = new Map();
  /** @type {Map<string, Signed<any>>} */
  const certificates = new Map();
  /** @type {Opening[]} */
  const openings = [];
  const holdings = payment.body.pieces.map((piece) => holdingOf(book, piece));
  for (const ancestor of holdings.flatMap((holding) => holding.ancestors)) {
    const row = await find("documents", ancestor.id);
    const document = /** @type {Signed<any>} */ (messages.parse(row.bytes));
    (ancestor.is_certificate ? certificates : documents).set(document.id, document);
    const isMine = messages.isVoucher(document) && document.body.key === key.public_key;
    if (isMine && row.opening) openings.push(row.opening);
  }
  const certificate = certificateOf(key);
  if (certificate && holdings.some((holding) => holding.depth > 0)) {
    certificates.set(certificate.id, certificate);
    if (key.certificate_opening) openings.push(key.certificate_opening);
  }
  const shown = [...openings.slice(0, 1), ...(memo ? [memo] : [])];
  return messages.bundle([...documents.values(), payment], [...certificates.values()], shown);
}

/**
 * Judge a payment as the operator will, before it is shown: a mistake of ours must not cost anybody money.
 * @param {Bundle} bundle @param {Trust} trust
 */
async function checkOwnWork(bundle, trust) {
  const again = /** @type {Bundle} */ (messages.parse(messages.toBytes(bundle)));
  checkSize(again, LIMITS);
  await checkChain(again, { net: trust.net, issuerKeys: trust.issuer_keys });
}

/** Return the holding that a piece is of. @param {Book} book @param {Piece} piece */
export function holdingOf(book, piece) {
  const found = book.holdings.find(
    (item) => item.parent_id === piece.parent_id && contains(rangeOf(item), rangeOf(piece)),
  );
  if (!found) throw new Rejected("not_enough_offline_money");
  return found;
}
