// What the phone keeps of the online side, for when there is no network: movements, requests, top-ups and withdrawals.
//
// Fetched with every sync, and only what may have changed: data costs money.
import * as api from "../api.js";
import { all, exclusive, fact, remember, write } from "../store.js";
import { settleShown } from "./shown.js";
import { learnStanding } from "./standing.js";

/** @import { HistoryItem, MoneyRequest, Operation } from "../api.js" */
/** @import { Change } from "../store.js" */

const OPERATIONS_MAX = 50; // top-ups and withdrawals that are kept
const OVER = ["settled", "declined", "returned", "refused"];

/** Bring the online side up to date. Throws Problem, Unreachable. */
export async function meetOnline() {
  await settleShown();
  await learnStanding();
  await write([remember("requests", (await api.requests()).items)]);
  for (const operation of await operations()) {
    if (!OVER.includes(operation.state)) await keepOperation(await api.operation(operation));
  }
  await fetchNewest();
}

/** Fetch the movements since the newest that is known. */
async function fetchNewest() {
  const rows = /** @type {HistoryItem[]} */ (await all("movements"));
  const since = rows.reduce((newest, { at }) => (Date.parse(at) > Date.parse(newest || "1970") ? at : newest), "");
  /** @type {string | null} */
  let cursor = "";
  // A phone that meets the server for the first time takes the newest page; the screen fetches the rest when asked.
  do cursor = (await fetchMovements({ since, cursor })).next_cursor;
  while (cursor && since);
}

/**
 * Fetch and keep a page of movements; return it. Throws Problem, Unreachable.
 * @param {Parameters<typeof api.history>[0]} query
 */
export async function fetchMovements(query) {
  const page = await api.history(query);
  await write(page.items.map((put) => ({ table: /** @type {const} */ ("movements"), put })));
  return page;
}

/** @returns {Promise<Operation[]>} */
export const operations = async () => (await fact("operations")) ?? [];

/**
 * Keep a top-up or withdrawal as it stands, together with changes of the caller.
 * @param {Operation} operation @param {readonly Change[]} [also]
 */
export function keepOperation(operation, also = []) {
  return exclusive(async () => {
    const others = (await operations()).filter((item) => item.operation_id !== operation.operation_id);
    await write([remember("operations", [operation, ...others].slice(0, OPERATIONS_MAX)), ...also]);
  });
}

/**
 * Keep a request as it stands, together with changes of the caller.
 * @param {MoneyRequest} request @param {readonly Change[]} [also]
 */
export function keepRequest(request, also = []) {
  return exclusive(async () => {
    const known = /** @type {MoneyRequest[]} */ ((await fact("requests")) ?? []);
    const others = known.filter((item) => item.request_id !== request.request_id);
    const all = [request, ...others].sort((one, other) => Date.parse(other.created_at) - Date.parse(one.created_at));
    await write([remember("requests", all), ...also]);
  });
}
