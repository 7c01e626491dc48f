// Pay with no network: read a request, reserve units and the signed payment durably, then show the code.
//
// Everything is on the disk before it is on the screen, a request is answered once, and showing again shows the same
// bytes. A phone that forgot a code it showed would sign the same units again and look like a cheat.
import { randomHex, randomNumber, unixNow } from "../platform.js";
import { all, exclusive, find, write } from "../store.js";
import { spendable } from "../tikicash/book.js";
import { choosePieces } from "../tikicash/coins.js";
import { RECEIPT, REFUSAL } from "../tikicash/cose.js";
import { Rejected } from "../tikicash/errors.js";
import { NONCE_BYTES, SALT_BYTES } from "../tikicash/fields.js";
import { PIECES_MAX } from "../tikicash/layout.js";
import * as messages from "../tikicash/messages.js";
import { verifyReceipt, verifyRefusal, verifyRequest } from "../tikicash/rules.js";
import { certificateOf, currentKey } from "./keys.js";
import { holdingOf, makePayment, outboxEntry } from "./made-payments.js";
import { nowFor, readBook, readTrust } from "./trust.js";

/** @import { Payment, Piece } from "../tikicash/bodies.js" */
/** @import { Book } from "../tikicash/book.js" */
/** @import { Bundle, Signed } from "../tikicash/messages.js" */
/** @import { Asked } from "../tikicash/rules.js" */
/** @import { Key } from "./keys.js" */
/** @import { Paid } from "./made-payments.js" */

/** The request is one of this very phone. */
export class PayeeIsYou extends Error {
  name = "PayeeIsYou";
  code = "payee_is_you";
}

/** Somebody shows a request that was answered with another amount. */
export class RequestReused extends Error {
  name = "RequestReused";
  code = "request_reused";
}

/**
 * Return what a scanned request asks for, verified. Throws NeverOnline, PayeeIsYou, Rejected.
 * @param {messages.Message} message @param {number} currencyNumber @returns {Promise<Asked>}
 */
export async function readRequest(message, currencyNumber) {
  const trust = await readTrust();
  const asked = await verifyRequest(message, { ...trust, now: nowFor(trust) });
  if (asked.request.body.currency !== currencyNumber) throw new Rejected("wrong_currency");
  const mine = await all("keys");
  if (mine.some((key) => key.public_key === asked.request.body.payee_key)) throw new PayeeIsYou();
  return asked;
}

/** Return what answers a request once. @param {Asked} asked */
export const requestRef = ({ request }) => messages.keyId(request.body.payee_key) + request.body.nonce;

/** Return the payment that answered a request already, or null. Throws RequestReused. @param {Asked} asked */
export async function findPaid(asked) {
  const rows = /** @type {Paid[]} */ (await all("paid"));
  const found = rows.find((row) => row.request_ref === requestRef(asked)) ?? null;
  if (found && found.amount_minor !== asked.request.body.amount) throw new RequestReused();
  return found;
}

/**
 * Reserve units, sign and store a payment, then return it. Answers a request once: again gives the same.
 *
 * Throws Rejected (not_enough_offline_money, payment_above_limit, too_many_pieces), RequestReused, KeyNotKept.
 * @param {Asked} asked @param {string} memo @returns {Promise<Paid>}
 */
export function pay(asked, memo) {
  return exclusive(async () => {
    const before = await findPaid(asked);
    if (before) return before;
    const [trust, book, key] = [await readTrust(), await readBook(), await currentKey()];
    const request = asked.request.body;
    const payeeId = messages.keyId(request.payee_key);
    const certificate = certificateOf(key)?.body;
    const now = nowFor(trust);
    const mayHandOn = certificate !== undefined && certificate.valid_until >= now && certificate.may_hand_on;
    const usable = spendable(book, { owner_id: key.key_id, payee_id: payeeId, now, may_hand_on: mayHandOn });
    const pieces = choosePieces(usable, request.amount, { start: randomNumber() });
    const opening = memo ? { opens: messages.OPENS_MEMO, salt: randomHex(SALT_BYTES), text: memo } : null;
    return makePayment(key, {
      pieces,
      currency: request.currency,
      payee_key: request.payee_key,
      payee_name: asked.verified_name ?? request.name ?? "",
      is_verified: asked.verified_name !== null,
      nonce: request.nonce,
      request_ref: requestRef(asked),
      memo: opening,
      is_hand_back: false,
      refund_of: "",
    });
  });
}

/**
 * Sign offline money back to the operator, an amount in minor units; it completes at the next sync.
 *
 * One payment for each voucher or payment that the units came by, deepest first: that money is the first to grow too
 * old to be passed on. Throws Rejected("not_enough_offline_money"), KeyNotKept.
 * @param {number} amountMinor @returns {Promise<void>}
 */
export function handBack(amountMinor) {
  return exclusive(async () => {
    const trust = await readTrust();
    for (const pieces of piecesToHandBack(await readBook(), await currentKey(), amountMinor)) {
      await makePayment(await currentKey(), {
        pieces,
        currency: await currencyOf(await readBook(), pieces[0]),
        payee_key: trust.operator_key,
        payee_name: "",
        is_verified: true,
        nonce: randomHex(NONCE_BYTES),
        request_ref: "",
        memo: null,
        is_hand_back: true,
        refund_of: "",
      });
    }
  });
}

/**
 * Store the payee's receipt or refusal of a payment of mine, verified; the same answer again changes nothing.
 *
 * Throws Rejected (answer_to_another_payment, answer_signature_wrong).
 * @param {messages.Message} answer @returns {Promise<Paid>}
 */
export function takeAnswer(answer) {
  return exclusive(async () => {
    if (!("body" in answer) || (answer.type !== RECEIPT && answer.type !== REFUSAL)) {
      throw new Rejected("unknown_document");
    }
    /** @type {Paid | null} */
    const row = await find("paid", answer.body.payment_id);
    if (row === null) throw new Rejected("answer_to_another_payment");
    const bundle = /** @type {Bundle} */ (messages.parseCode(row.code));
    const payment = /** @type {Signed<Payment>} */ (bundle.documents[bundle.documents.length - 1]);
    const isReceipt = answer.type === RECEIPT;
    await (isReceipt ? verifyReceipt : verifyRefusal)(answer, { payment, payeeKey: row.payee_key });
    if (row.answer === "received" || row.answer === "refused") return row;
    const answered = { ...row, answer: isReceipt ? "received" : "refused", answered_at: unixNow() };
    const refusal = { ...outboxEntry(row.payment_id, "refusal"), bytes: messages.toBytes(answer) };
    await write([
      { table: "paid", put: answered },
      ...(isReceipt ? [] : [{ table: /** @type {const} */ ("outbox"), put: refusal }]),
    ]);
    return answered;
  });
}

/**
 * Note that a payment's code was never scanned: it is not brought to the operator, and its units come home later.
 * @param {string} paymentId
 */
export function sayNotTaken(paymentId) {
  return exclusive(async () => {
    const row = await find("paid", paymentId);
    if (row && row.answer === "") {
      await write([{ table: "paid", put: { ...row, answer: "not_taken", answered_at: unixNow() } }]);
    }
  });
}

/**
 * The currency (ISO 4217 numeric) of a piece: of the first document below it.
 * @param {Book} book @param {Piece} piece
 */
async function currencyOf(book, piece) {
  const [{ id }] = holdingOf(book, piece).ancestors;
  const row = await find("documents", id);
  return /** @type {Signed<any>} */ (messages.parse(row.bytes)).body.currency;
}

/**
 * Return the pieces of each hand-back: units of one parent together, at most 16 pieces each.
 * @param {Book} book @param {Key} key @param {number} amountMinor @returns {Piece[][]}
 */
function piecesToHandBack(book, key, amountMinor) {
  const mine = book.holdings.filter((item) => item.owner_id === key.key_id);
  if (mine.reduce((sum, item) => sum + item.count, 0) < amountMinor) throw new Rejected("not_enough_offline_money");
  mine.sort((one, other) => other.depth - one.depth || one.spend_by - other.spend_by || one.first - other.first);
  /** @type {Map<string, Piece[][]>} */
  const byParent = new Map();
  let left = amountMinor;
  for (const item of mine) {
    const count = Math.min(item.count, left);
    if (count === 0) break;
    left -= count;
    const groups = byParent.get(item.parent_id) ?? [[]];
    if (groups[groups.length - 1].length === PIECES_MAX) groups.push([]);
    groups[groups.length - 1].push({ parent_id: item.parent_id, first: item.first, count });
    byParent.set(item.parent_id, groups);
  }
  return [...byParent.values()].flat();
}
