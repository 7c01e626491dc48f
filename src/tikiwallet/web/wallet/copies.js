// Copies of payments: export what this phone knows, and carry what others could not bring (courier).
//
// Any copy of a payment that reaches the operator credits its payee, whoever brings it. So a copy is worth as much as
// the phone, and can be given to anybody: it pays nobody else. The file is that of the command line (docs/cli.md): one
// code a line, and comments after a #.
import * as api from "../api.js";
import { unixNow } from "../platform.js";
import { all, exclusive, find, write } from "../store.js";
import { REFUSAL } from "../tikicash/cose.js";
import { Rejected } from "../tikicash/errors.js";
import * as messages from "../tikicash/messages.js";
import { outboxEntry } from "./made-payments.js";

/** @import { Paid } from "./made-payments.js" */
/** @import { Received, RefusedRow } from "./receiving.js" */
/** @import { OutboxEntry } from "./sync.js" */

const CODES_MAX = 10_000;
const HISTORY_PAGES_MAX = 1_000;

/** There are more codes in a file than one phone carries at once. */
export class TooManyCodes extends Error {
  name = "TooManyCodes";
  code = "too_many_codes";
}

/** The history grew while it was read, or is longer than one file should be. */
export class HistoryTooLong extends Error {
  name = "HistoryTooLong";
  code = "history_too_long";
}

/**
 * Return everything that this phone knows, as the text of a file. The openings stay here: whoever carries it sees
 * neither names nor notes, and the operator needs none of them.
 * @returns {Promise<string>}
 */
export async function exportText() {
  const [received, paid, refused] = await Promise.all([all("received"), all("paid"), all("refused")]);
  const codes = /** @type {(Received | Paid | RefusedRow)[]} */ ([...received, ...paid, ...refused]).map((row) => {
    const message = messages.parseCode(row.code);
    return messages.isBundle(message) ? messages.toCode({ ...message, openings: [] }) : row.code;
  });
  const head = "# TikiWallet, one code a line: anybody who is signed in can bring this to the operator";
  return [head, ...codes, ""].join("\n");
}

/** Return the history of the online balance as CSV (RFC 4180). Throws Problem, Unreachable, HistoryTooLong. */
export async function historyCsv() {
  const rows = [
    ["time", "kind", "direction", "amount_minor", "currency", "balance_minor", "with", "memo", "transfer_id"],
  ];
  /** @type {string | null} */
  let cursor = null;
  for (let page = 0; page === 0 || cursor !== null; page += 1) {
    if (page === HISTORY_PAGES_MAX) throw new HistoryTooLong();
    /** @type {{ items: api.HistoryItem[], next_cursor: string | null }} */
    const { items, next_cursor } = await api.history({ cursor });
    for (const { at, kind, direction, amount, balance, counterparty, memo, transfer_id } of items) {
      const who = typeof counterparty === "string" ? counterparty : counterparty.username;
      rows.push([
        at, kind, direction, String(amount.amount_minor), amount.currency, String(balance.amount_minor), who, memo,
        transfer_id,
      ]);
    }
    cursor = next_cursor;
  }
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** A cell that no spreadsheet takes for a formula, whatever a stranger wrote into it. @param {string} text */
function cell(text) {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * What came of one code of a file: `entry_id` is "" for what nobody can bring, and `code` says why.
 * @typedef {{ entry_id: string, code: string }} Carried
 */

/**
 * Take codes to bring at the next sync, all durable when this resolves; what is here already stays as it is.
 * @param {readonly string[]} codes @returns {Promise<Carried[]>} one for each, in order. Throws TooManyCodes.
 */
export function carry(codes) {
  if (codes.length > CODES_MAX) throw new TooManyCodes();
  return exclusive(async () => {
    /** @type {Map<string, OutboxEntry>} */
    const fresh = new Map();
    const carried = [];
    for (const text of codes) {
      const found = entryOf(text);
      carried.push({ entry_id: found.entry?.entry_id ?? "", code: found.code });
      if (found.entry && !(await find("outbox", found.entry.entry_id))) fresh.set(found.entry.entry_id, found.entry);
    }
    await write([...fresh.values()].map((put) => ({ table: /** @type {const} */ ("outbox"), put })));
    return carried;
  });
}

/**
 * Return what the operator said of what was carried.
 * @param {readonly Carried[]} carried @returns {Promise<OutboxEntry[]>}
 */
export async function outcomesOf(carried) {
  const ids = new Set(carried.map((item) => item.entry_id));
  return (await all("outbox")).filter((entry) => ids.has(entry.entry_id));
}

/** @param {string} text @returns {{ entry: OutboxEntry | null, code: string }} */
function entryOf(text) {
  try {
    const message = messages.parseCode(text);
    if (messages.isBundle(message)) {
      const payment = message.documents.at(-1);
      if (!payment || !messages.isPayment(payment)) throw new Rejected("not_a_payment");
      return { entry: { ...outboxEntry(payment.short_id, "bundle"), bytes: messages.toBytes(message) }, code: "" };
    }
    // A receipt is between payer and payee; a refusal says that its payee claims nothing.
    if (message.type !== REFUSAL || !("body" in message)) throw new Rejected("not_a_payment");
    const { payment_id } = /** @type {{ payment_id: string }} */ (message.body);
    return { entry: { ...outboxEntry(payment_id, "refusal"), bytes: messages.toBytes(message) }, code: "" };
  } catch (error) {
    if (error instanceof Rejected) return { entry: null, code: error.code };
    throw error;
  }
}

/** Return the name of an exported file. @param {string} what @param {string} ending */
export const exportName = (what, ending) =>
  `tikiwallet-${what}-${new Date(unixNow() * 1000).toISOString().slice(0, 10)}.${ending}`;
