// Give a payment back with no network, all of it or part, to the phone that paid it: one scan, tied to the sale.
//
// Only units of that very payment go back, so a refund cannot bring anybody money that he never paid. It is on the disk
// before it is on the screen, and one that nobody confirmed is shown again rather than signed again: who taps twice by
// mistake must not give back twice.
import { randomNumber } from "../platform.js";
import { all, exclusive, find } from "../store.js";
import { LIMITS, operatorIds, payerId, readChain, refundedSale, saleNonce } from "../tikicash/chain.js";
import { refundPieces } from "../tikicash/coins.js";
import { Rejected } from "../tikicash/errors.js";
import * as messages from "../tikicash/messages.js";
import { certificateOf, currentKey } from "./keys.js";
import { makePayment } from "./made-payments.js";
import { nowFor, readBook, readTrust } from "./trust.js";

/** @import { Payment } from "../tikicash/bodies.js" */
/** @import { Signed } from "../tikicash/messages.js" */
/** @import { Paid } from "./made-payments.js" */
/** @import { Received } from "./receiving.js" */

/**
 * A payment that I received, and what of it can still go back, in minor units. `refunds` is what went back before,
 * oldest first; `waiting` is the newest of them that nobody answered, or null.
 * @typedef {{ received: Received, held_minor: number, refunds: Paid[], waiting: Paid | null }} Refundable
 */

/** A refund of another amount waits for its receipt: show that one again, or say that this one comes on top. */
export class RefundWaiting extends Error {
  name = "RefundWaiting";
  code = "refund_waiting";
}

/**
 * Return a payment that I received as one that may go back, or null if there is none with this id.
 * @param {string} paymentId @returns {Promise<Refundable | null>}
 */
export async function refundable(paymentId) {
  /** @type {Received | null} */
  const received = await find("received", paymentId);
  if (received === null) return null;
  const key = (await all("keys")).find((item) => item.retired_at === null);
  const held = (await readBook()).holdings.filter(
    (item) => item.parent_id === paymentId && item.owner_id === key?.key_id,
  );
  const paid = /** @type {Paid[]} */ (await all("paid"));
  const refunds = paid.filter((row) => row.refund_of === paymentId).sort((one, other) => one.made_at - other.made_at);
  return {
    received,
    held_minor: held.reduce((sum, item) => sum + item.count, 0),
    refunds,
    waiting: refunds.findLast((row) => row.answer === "") ?? null,
  };
}

/**
 * Reserve units of a payment that I received, sign and store its refund, then return it. Until its receipt comes the
 * same refund is returned again; `again` makes one more. `amountMinor` null gives back all that is still held of it.
 *
 * Throws Rejected (the codes of refundPieces), RefundWaiting, KeyNotKept.
 * @param {string} paymentId @param {number | null} amountMinor @param {{ again?: boolean }} [given]
 * @returns {Promise<Paid>}
 */
export function giveBack(paymentId, amountMinor, { again = false } = {}) {
  return exclusive(async () => {
    const sale = await refundable(paymentId);
    if (sale === null) throw new RangeError(`no payment ${paymentId}`);
    if (sale.waiting && !again) {
      if (amountMinor !== null && amountMinor !== sale.waiting.amount_minor) throw new RefundWaiting();
      return sale.waiting;
    }
    const [trust, book, key] = [await readTrust(), await readBook(), await currentKey()];
    const { payment, payerKey } = whoPaid(sale.received);
    const pieces = refundPieces(
      book.holdings.filter((item) => item.owner_id === key.key_id),
      amountMinor ?? (sale.held_minor || sale.received.amount_minor),
      {
        sale_id: paymentId,
        payee_id: messages.keyId(payerKey),
        certificate: certificateOf(key)?.body ?? null,
        now: nowFor(trust),
        start: randomNumber(),
      },
    );
    return makePayment(key, {
      pieces,
      currency: payment.body.currency,
      payee_key: payerKey,
      payee_name: sale.received.payer_name,
      is_verified: sale.received.payer_name !== "",
      nonce: saleNonce(payment),
      request_ref: "",
      memo: null,
      is_hand_back: false,
      refund_of: paymentId,
    });
  });
}

/**
 * Tell whether a code says of itself that it gives a payment of mine back; whether it holds is judged as always.
 * @param {messages.Message} message
 */
export async function isRefund(message) {
  if (!messages.isBundle(message) || !message.documents.some(messages.isPayment)) return false;
  const [trust, keys] = [await readTrust(), await all("keys")];
  try {
    const limits = { ...LIMITS, depth_max: LIMITS.depth_max + 1 }; // the deepest can only be claimed
    const chain = readChain(message, { limits, operator: operatorIds(trust.issuer_keys) });
    const isMine = keys.some((key) => key.key_id === chain.payment.body.payee_id);
    return isMine && refundedSale(chain.payment, chain.sources) !== null;
  } catch (error) {
    if (error instanceof Rejected) return false;
    throw error;
  }
}

/** The payment itself and the key that signed it: of a voucher or a certificate below it. @param {Received} received */
function whoPaid(received) {
  const bundle = /** @type {messages.Bundle} */ (messages.parseCode(received.code));
  const sources = new Map(bundle.documents.map((item) => [item.short_id, /** @type {Signed<any>} */ (item)]));
  const payment = /** @type {Signed<Payment>} */ (bundle.documents.at(-1));
  const payer = payerId(payment, sources);
  const issued = [...[...sources.values()].filter(messages.isVoucher), ...bundle.certificates];
  const { body } = /** @type {Signed<any>} */ (issued.find((item) => messages.keyId(item.body.key) === payer));
  return { payment, payerKey: /** @type {string} */ (body.key) };
}
