// Pay online: ten seconds to change one's mind, kept here before anything leaves the phone, then sent once.
//
// An order is on the disk before the seconds begin. It is sent only by a living page that counted them to the end in
// the sight of its owner: a wallet that was closed meanwhile, or a phone that slept, sends nothing and says so. Money
// that leaves by itself when somebody opens the wallet an hour later would be worse than a payment to be pressed
// again. Once it was sent its key decides: whatever happens, asking again is the same payment.
import * as api from "../api.js";
import { randomId, unixNow } from "../platform.js";
import { all, exclusive, find, ifNobodys, whileMine, write } from "../store.js";

/** @import { Amount, PublicPerson } from "../api.js" */

export const HOLD_SECONDS = 10;
const LATE_SECONDS_MAX = 30; // a page that slept for longer than this does not send any more

/**
 * What is paid: "transfer" to a person, "request" somebody sent me (`request_id`), "shown" for a code that I scanned
 * (`reference` for the server, `request_ref` as in the table `paid`).
 * @typedef {{ kind: "transfer" | "request" | "shown", payee: PublicPerson, amount: Amount, memo: string,
 *   request_id: string, reference: string, request_ref: string }} Draft
 */
/**
 * A row of the table `orders`; the id is its Idempotency-Key. States: "held", then "sending", then "paid", "refused"
 * (with `code`, and for step_up_required the `methods` to prove who pays) or "unknown" (no answer came); or "undone" by
 * the person, or "not_sent" because nobody counted to the
 * end.
 * Times in unix seconds, null until they are known; `payee_told_at` is when the payee's phone saw it.
 * @typedef {Draft & { order_id: string, state: string, made_at: number, send_at: number, sent_at: number | null,
 *   ended_at: number | null, transfer_id: string, code: string, payee_told_at: number | null,
 *   methods?: string[] }} Order
 */

const LIVING = ["held", "sending", "unknown", "paid"];
/** The orders that this page counts down, with what ends the wait. @type {Map<string, () => void>} */
const counting = new Map();

/** Tell whether this page counts an order down, so that it can send it at once. @param {string} id */
export const isCountedHere = (id) => counting.has(id);

/** Return the order that pays a scanned request, unless it came to nothing. @param {string} requestRef */
export async function findOrder(requestRef) {
  const rows = /** @type {Order[]} */ (await all("orders"));
  return rows.find((row) => row.request_ref === requestRef && requestRef && LIVING.includes(row.state)) ?? null;
}

/**
 * Keep an order and begin its seconds; a request that has an order already gets no second one. `onChange` is called
 * after every change of its state.
 * @param {Draft} draft @param {() => Promise<void>} onChange @returns {Promise<Order>}
 */
export async function hold(draft, onChange) {
  const { order, isNew } = await exclusive(async () => {
    const rows = /** @type {Order[]} */ (await all("orders"));
    const isSame = (/** @type {Order} */ row) =>
      LIVING.includes(row.state) &&
      ((draft.request_id !== "" && row.request_id === draft.request_id) ||
        (draft.request_ref !== "" && row.request_ref === draft.request_ref));
    const before = rows.find(isSame);
    if (before) return { order: before, isNew: false };
    const made_at = unixNow();
    /** @type {Order} */
    const order = {
      ...draft, order_id: randomId(), state: "held", made_at, send_at: made_at + HOLD_SECONDS, sent_at: null,
      ended_at: null, transfer_id: "", code: "", payee_told_at: null,
    };
    await write([{ table: "orders", put: order }]);
    return { order, isNew: true };
  });
  if (isNew) void whileMine(order.order_id, () => countDown(order, onChange));
  return order;
}

/** @param {Order} order @param {() => Promise<void>} onChange */
async function countDown(order, onChange) {
  await new Promise((resolve) => {
    counting.set(order.order_id, () => resolve(undefined));
    setTimeout(() => resolve(undefined), HOLD_SECONDS * 1000);
  });
  counting.delete(order.order_id);
  const isLate = unixNow() > order.send_at + LATE_SECONDS_MAX;
  const row = await change(order.order_id, ["held"], isLate ? ended("not_sent") : sending());
  await onChange();
  if (row?.state === "sending") await send(row, onChange);
}

/** Change one's mind while it is held; too late if it was sent. @param {string} id */
export async function undo(id) {
  await change(id, ["held"], ended("undone"));
  counting.get(id)?.();
}

/** Send now what is held, without waiting. @param {string} id */
export const sendNow = (id) => counting.get(id)?.();

/**
 * Ask again for an order without an answer, with its own key: it is the same payment.
 * @param {string} id @param {() => Promise<void>} onChange
 */
export function repeat(id, onChange) {
  return whileMine(id, async () => {
    const row = await change(id, ["unknown"], sending());
    await onChange();
    if (row?.state === "sending") await send(row, onChange);
  });
}

/**
 * Send an order again, with its own key, that was refused until its owner proved to be there.
 * @param {string} id @param {() => Promise<void>} onChange
 */
export function proven(id, onChange) {
  return whileMine(id, async () => {
    const refused = /** @type {Order | null} */ (await find("orders", id));
    if (refused?.code !== "step_up_required") return;
    const row = await change(id, ["refused"], { ...sending(), code: "", ended_at: null });
    await onChange();
    if (row?.state === "sending") await send(row, onChange);
  });
}

/** @param {Order} row @param {() => Promise<void>} onChange */
async function send(row, onChange) {
  try {
    const transferId = await order(row);
    await change(row.order_id, ["sending"], { ...ended("paid"), transfer_id: transferId });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "internal_error";
    const refused = { ...ended("refused"), code, methods: methodsOf(error) };
    const outcome = api.isFinalNo(error) ? refused : { state: "unknown", code };
    await change(row.order_id, ["sending"], outcome);
  }
  await onChange();
}

/** @param {unknown} error */
const methodsOf = (error) => (error instanceof api.Problem ? error.methods : []);

/** Give an order to the server; return the id of its transfer. @param {Order} row @returns {Promise<string>} */
async function order({ kind, order_id: key, payee, amount, memo, request_id: requestId, reference }) {
  if (kind === "transfer") return (await api.transfer({ username: payee.username, amount, memo, key })).transfer_id;
  const paid = kind === "request" ? api.payRequest(requestId, key) : api.payShownCode(reference, memo, key);
  return (await paid).receipt?.transfer_id ?? "";
}

/** Learn whether the payee's phone knows of a payment that scanned its code. @param {Order} row */
export async function askWhetherTold(row) {
  const { payee_told_at: toldAt } = await api.shownCode(row.reference);
  if (toldAt !== null) await change(row.order_id, ["paid"], { payee_told_at: Date.parse(toldAt) / 1000 });
}

/** Note what became of orders whose page is gone: what was held was not sent, what was sent may have arrived. */
export async function settleAbandoned() {
  const rows = /** @type {Order[]} */ (await all("orders"));
  for (const { order_id: id } of rows.filter((row) => ["held", "sending"].includes(row.state))) {
    await ifNobodys(id, async () => {
      await change(id, ["held"], ended("not_sent"));
      await change(id, ["sending"], { state: "unknown", code: "unreachable" });
    });
  }
}

/**
 * Change an order if it is in one of these states; return it as it is then.
 * @param {string} id @param {string[]} from @param {Partial<Order>} to @returns {Promise<Order | null>}
 */
function change(id, from, to) {
  return exclusive(async () => {
    /** @type {Order | null} */
    const row = await find("orders", id);
    if (row === null || !from.includes(row.state)) return row;
    const changed = { ...row, ...to };
    await write([{ table: "orders", put: changed }]);
    return changed;
  });
}

const sending = () => ({ state: "sending", sent_at: unixNow() });

/** @param {string} state */
const ended = (state) => ({ state, ended_at: unixNow() });
