// Be paid with no network: show a request, judge the payment, store it, then give the receipt.
//
// The verdict is tikicash's and not ours: the same on every phone and at settlement. What is refused is kept where it
// may be worth something: two payments of the same units prove a double spend, and a refund too deep to hold is a
// claim. A refund needs no request: it names the payment of mine that it gives back, and my key has signed that.
import { randomHex, unixNow } from "../platform.js";
import { all, exclusive, fact, find, remember, write } from "../store.js";
import { LIMITS } from "../tikicash/chain.js";
import { RECEIPT, REFUSAL, REQUEST } from "../tikicash/cose.js";
import { Rejected } from "../tikicash/errors.js";
import { NONCE_BYTES } from "../tikicash/fields.js";
import * as messages from "../tikicash/messages.js";
import { accept, acceptClaim } from "../tikicash/rules.js";
import { certificateOf, currentKey, signerOf } from "./keys.js";
import { outboxEntry } from "./made-payments.js";
import { nowFor, readBook, readTrust } from "./trust.js";

/** @import { Payment, Receipt, Refusal, Request } from "../tikicash/bodies.js" */
/** @import { Signed } from "../tikicash/messages.js" */
/** @import { Acceptance, AcceptContext } from "../tikicash/rules.js" */

/**
 * A row of the table `asked`; `request` is the bytes of the signed request.
 * @typedef {{ nonce: string, public_key: string, request: Uint8Array, code: string, amount_minor: number,
 *   asked_at: number }} AskedRow
 */
/**
 * A row of the table `received`. Amounts in minor units, times in unix seconds. `refund_of` is the payment of mine that
 * it gives back, if it does; it is claim only if it went through too many hands to be paid on. Rows written before
 * refunds were known have neither.
 * @typedef {{ payment_id: string, nonce: string, payer_name: string, amount_minor: number, memo: string,
 *   final_minor: number, protected_minor: number, at_risk_minor: number, spend_by: number, claim_by: number,
 *   accepted_at: number, code: string, receipt_code: string, refund_of?: string, is_claim_only?: boolean }} Received
 */
/**
 * A row of the table `refused`: a payment that I claim nothing from.
 * @typedef {{ payment_id: string, amount_minor: number, reason: string, refused_at: number, code: string }} RefusedRow
 */

// A payment refused for one of these reasons is brought to the operator all the same.
const KEPT_ALTHOUGH_REFUSED = ["already_held", "spent_twice", "refund_is_claim_only"];

/**
 * Sign and store a request, then return it. Throws NeverOnline, KeyNotKept.
 * @param {number} amountMinor @param {number} currency ISO 4217 numeric @returns {Promise<AskedRow>}
 */
export function ask(amountMinor, currency) {
  return exclusive(async () => {
    const [trust, key, person] = [await readTrust(), await currentKey(), await fact("person")];
    /** @type {Request} */
    const body = {
      net: trust.net,
      currency,
      amount: amountMinor,
      nonce: randomHex(NONCE_BYTES),
      payee_key: key.public_key,
      asked_at: nowFor(trust),
      name: person?.username ?? null,
    };
    const request = await messages.sign(REQUEST, body, signerOf(key));
    const certificate = certificateOf(key);
    // An old certificate would make the payer's phone refuse the request.
    const isCurrent = certificate !== null && certificate.body.valid_until >= nowFor(trust);
    const openings = isCurrent && key.certificate_opening ? [key.certificate_opening] : [];
    const bundle = messages.bundle([request], isCurrent ? [certificate] : [], openings);
    /** @type {AskedRow} */
    const row = {
      nonce: body.nonce,
      public_key: key.public_key,
      request: messages.toBytes(request),
      code: messages.toCode(bundle),
      amount_minor: amountMinor,
      asked_at: body.asked_at,
    };
    await write([{ table: "asked", put: row }]);
    return row;
  });
}

/** Take a request back, so that no payment answers it any more. @param {string} nonce */
export const cancelRequest = (nonce) => exclusive(() => write([{ table: "asked", remove: nonce }]));

/**
 * Return a payment as this phone knows it already, or null: received or refused before.
 * @param {messages.Message} message @returns {Promise<Received | RefusedRow | null>}
 */
export async function findKnown(message) {
  const payment = messages.isBundle(message) ? message.documents.at(-1) : undefined;
  if (!payment) return null;
  return (await find("received", payment.short_id)) ?? (await find("refused", payment.short_id));
}

/**
 * Return how safe a payment is, having stored nothing: what the payee sees before he takes it.
 *
 * Throws NeverOnline, Rejected with the reason; a refused payment that is evidence is kept for the operator.
 * @param {messages.Message} message @returns {Promise<Acceptance>}
 */
export async function judge(message) {
  const key = (await all("keys")).find((item) => item.retired_at === null);
  const trust = await readTrust();
  const asked = /** @type {AskedRow[]} */ (await all("asked"));
  const requests = asked.map((row) => /** @type {Signed<Request>} */ (messages.parse(row.request)).body);
  const context = {
    ...trust,
    now: nowFor(trust),
    // The date of the list of blocked phones: what a payment brings along says nothing about who was blocked since.
    newest_signed_time: trust.revocations?.now ?? 0,
    open_requests: requests,
    my_keys: key ? [key.public_key] : [],
    my_certificate: key ? (certificateOf(key)?.body ?? null) : null,
    book: await readBook(),
  };
  try {
    return await accept(message, { context }).catch((error) => asClaim(message, context, error));
  } catch (error) {
    if (error instanceof Rejected && KEPT_ALTHOUGH_REFUSED.includes(error.code)) await keep(message);
    throw error;
  }
}

/**
 * Take as a claim what is a refund of mine that went through too many hands; throw what it was refused for otherwise.
 * @param {messages.Message} message @param {AcceptContext} context @param {unknown} refused
 */
function asClaim(message, context, refused) {
  if (!(refused instanceof Rejected) || refused.code !== "refund_is_claim_only") throw refused;
  return acceptClaim(message, { context }).catch((error) => {
    // Not tied to a payment of mine: a refund all the same, and worth something to whoever is its payee.
    throw error instanceof Rejected && error.code === "no_open_request" ? refused : error;
  });
}

/**
 * Judge a payment, store it with its receipt, then return both. The same payment again gives the same receipt.
 *
 * Throws what `judge` throws, KeyNotKept.
 * @param {messages.Message} message @returns {Promise<Received>}
 */
export function takePayment(message) {
  return exclusive(async () => {
    const known = await findKnown(message);
    if (known && "receipt_code" in known) return known;
    const acceptance = await judge(message);
    const [trust, key] = [await readTrust(), await currentKey()];
    /** @type {Receipt} */
    const body = { payment_id: acceptance.payment.short_id, accepted_at: nowFor(trust) };
    const receipt = await messages.sign(RECEIPT, body, signerOf(key));
    const row = receivedRow(acceptance, messages.toCode(message), receipt);
    const carried = [...acceptance.chain.sources.values(), ...acceptance.chain.certificates];
    const documents = await Promise.all(carried.map(documentRow));
    await write([
      ...documents.map((put) => ({ table: /** @type {const} */ ("documents"), put })),
      remember("book", acceptance.book),
      remember("trust", {
        ...trust,
        newest_signed_time: Math.max(trust.newest_signed_time, acceptance.newest_signed_time),
      }),
      { table: "received", put: row },
      ...(acceptance.sale ? [] : [{ table: /** @type {const} */ ("asked"), remove: row.nonce }]),
      { table: "outbox", put: { ...outboxEntry(row.payment_id, "bundle"), bytes: messages.toBytes(message) } },
    ]);
    return row;
  });
}

/**
 * Sign and store that nothing is claimed from a payment to me; again gives the same.
 * @param {messages.Message} message @param {string} reason @returns {Promise<RefusedRow>}
 */
export function refuse(message, reason) {
  return exclusive(async () => {
    const known = await findKnown(message);
    if (known && "reason" in known) return known;
    const payment = messages.isBundle(message) ? message.documents.at(-1) : undefined;
    if (!payment || !messages.isPayment(payment)) throw new Rejected("not_a_payment");
    const key = await currentKey();
    // Only the payee may say so: anybody else's word would be worth nothing and confuse the payer.
    if (known || payment.body.payee_id !== key.key_id) throw new Rejected("not_for_me");
    /** @type {Refusal} */
    const body = { payment_id: payment.short_id, reason };
    const refusal = await messages.sign(REFUSAL, body, signerOf(key));
    /** @type {RefusedRow} */
    const row = {
      payment_id: payment.short_id,
      amount_minor: payment.body.total,
      reason,
      refused_at: unixNow(),
      code: messages.toCode(refusal),
    };
    await write([
      { table: "refused", put: row },
      { table: "asked", remove: payment.body.nonce }, // its payer answers a request once, so nobody else will
      { table: "outbox", put: { ...outboxEntry(row.payment_id, "refusal"), bytes: messages.toBytes(refusal) } },
    ]);
    return row;
  });
}

/** @param {Acceptance} acceptance @param {string} code @param {Signed<Receipt>} receipt @returns {Received} */
function receivedRow({ payment, chain, sale, payer_name: name, memo, how_safe: safe }, code, receipt) {
  return {
    payment_id: payment.short_id,
    nonce: payment.body.nonce,
    payer_name: name ?? "",
    amount_minor: payment.body.total,
    memo: memo ?? "",
    final_minor: safe.final,
    protected_minor: safe.protected,
    at_risk_minor: safe.at_risk,
    spend_by: safe.spend_by,
    claim_by: safe.claim_by,
    accepted_at: receipt.body.accepted_at,
    code,
    receipt_code: messages.toCode(receipt),
    refund_of: sale?.short_id ?? "",
    is_claim_only: chain.depth > LIMITS.depth_max,
  };
}

/**
 * A document's row: the one that is there, if it is (it may hold the opening of a name).
 * @param {Signed<any>} document
 */
async function documentRow(document) {
  const known = await find("documents", document.id);
  return known ?? { id: document.id, bytes: messages.toBytes(document), opening: null };
}

/** @param {messages.Message} message */
async function keep(message) {
  const payment = /** @type {Signed<Payment>} */ (/** @type {messages.Bundle} */ (message).documents.at(-1));
  const entry = { ...outboxEntry(payment.short_id, "bundle"), bytes: messages.toBytes(message) };
  await write([{ table: "outbox", put: entry }]);
}
