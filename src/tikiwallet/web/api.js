// The server, as the wallet sees it: the only place that fetches.
//
// Whether there is a network is never asked, only tried: what the browser believes about it is often wrong, and a
// captive portal answers every question with a page of its own. Every call ends as one of three: an answer, a Problem
// (the server said no, with a code and a sentence), or Unreachable (nothing is known of what happened there).
import { randomId } from "./platform.js";
import { fact, remember, write } from "./store.js";

const TIMEOUT_MS = 20_000;

/** The server said no: a problem document with a stable code and a sentence for the person. */
export class Problem extends Error {
  /** @param {{ code: string, title: string, detail: string, field?: string, status: number }} said */
  constructor(said) {
    super(said.code);
    this.name = "Problem";
    this.code = said.code;
    this.sentence = said.detail || said.title;
    this.field = said.field ?? "";
    this.status = said.status;
  }
}

/** No answer of ours came: no network, a server that is away, or somebody else's page. */
export class Unreachable extends Error {
  name = "Unreachable";
  code = "unreachable";
}

/** @typedef {{ amount_minor: number, currency: string }} Amount */
/** @typedef {{ person_id: string, username: string, phone: string, tier: string }} Person */
/** @typedef {{ token: string, expires_at: string, person: Person }} Session */
/** @typedef {{ person_id: string, username: string, phone_masked: string }} PublicPerson */
/** @typedef {{ opens: number, salt: string, text: string }} OpeningSaid salt in base64url */
/** @typedef {{ device_id: string, certificate: string | null, certificate_opening: OpeningSaid | null }} Device */
/**
 * @typedef {{ loading_id: string | null, state: string, amount: Amount, voucher: string | null,
 *   openings: OpeningSaid[], code: string | null, detail: string }} Loading
 */
/**
 * @typedef {{ line: string, title: string, amount: Amount, state: string, counterparty: string,
 *   spend_by: string | null, claim_by: string | null, voucher_id: string, payment_id: string | null, final: Amount,
 *   provisional: Amount, sentence: string }} MoneyLine
 */
/**
 * @typedef {{ as_of: string, online: Amount[], offline: Amount[], final: Amount[], provisional: Amount[],
 *   underway: Amount[], lines: MoneyLine[] }} MoneyView
 */
/**
 * @typedef {{ results: { kind: string, index: number, payment_id: string | null, outcome: string,
 *   code: string | null, detail: string }[], vouchers: { voucher: string | null, opening: OpeningSaid | null,
 *   state: string }[], certificate: string | null, certificate_opening: OpeningSaid | null, revocations: string,
 *   signed_time: string, issuer_keys: string[], money: MoneyView, loading: Loading | null }} SyncAnswer
 */
/**
 * @typedef {{ transfer_id: string, kind: string, direction: "in" | "out", amount: Amount, balance: Amount,
 *   counterparty: PublicPerson | string, memo: string, at: string }} HistoryItem
 */

/**
 * Ask the server. Throws Problem or Unreachable.
 * @param {string} method @param {string} path @param {{ body?: unknown, key?: string }} [given] @returns {Promise<any>}
 */
async function call(method, path, { body, key } = {}) {
  const token = (await fact("session"))?.token;
  /** @type {Record<string, string>} */
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(`.${path}`, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(unreachable);
  if (response.status === 204) return null;
  const type = response.headers.get("content-type") ?? "";
  if (!/^application\/(problem\+)?json/.test(type)) throw new Unreachable();
  const answer = await response.json().catch(unreachable);
  if (!response.ok) throw new Problem({ ...answer, status: response.status });
  return answer;
}

/** @returns {never} */
function unreachable() {
  throw new Unreachable();
}

/** Read a file of the app itself. @param {string} path @returns {Promise<any>} */
export async function readFile(path) {
  const response = await fetch(path).catch(unreachable);
  if (!response.ok) throw new Unreachable();
  return response.json();
}

/**
 * POST something that moves money, once: the Idempotency-Key is on the disk before the order leaves, and an order
 * without an answer is repeated with its own key. Throws Problem or Unreachable.
 * @param {string} path @param {unknown} body
 */
async function moveMoney(path, body) {
  const name = `order ${path} ${JSON.stringify(body)}`;
  const key = (await fact(name)) ?? randomId();
  await write([remember(name, key)]);
  const forget = () => write([{ table: "facts", remove: name }]);
  try {
    const answer = await call("POST", path, { body, key });
    await forget();
    return answer;
  } catch (error) {
    // A "no" is final for this key; no answer at all means that it may have happened.
    if (error instanceof Problem && error.status < 500) await forget();
    throw error;
  }
}

/** @param {{ phone: string, username: string, password: string }} order */
export const register = (order) => call("POST", "/v1/registrations", { body: order });

/** @param {string} id */
export const sendFreshCode = (id) => call("POST", `/v1/registrations/${id}/code`);

/** @param {string} id @param {string} code @returns {Promise<Session>} */
export const verifyPhone = (id, code) => call("POST", `/v1/registrations/${id}/verification`, { body: { code } });

/** @param {string} phone @param {string} password @returns {Promise<Session>} */
export const signIn = (phone, password) => call("POST", "/v1/sessions", { body: { phone, password } });

/** @returns {Promise<null>} */
export const signOut = () => call("DELETE", "/v1/sessions/current");

/** @param {"phone" | "username"} by @param {string} who @returns {Promise<PublicPerson>} */
export const findPerson = (by, who) => call("GET", `/v1/people?${by}=${encodeURIComponent(who)}`);

/** @param {string} username @param {Amount} amount @param {string} memo */
export const transfer = (username, amount, memo) => moveMoney("/v1/transfers", { to: { username }, amount, memo });

/** @param {string | null} cursor @returns {Promise<{ items: HistoryItem[], next_cursor: string | null }>} */
export const history = (cursor) => call("GET", `/v1/history?limit=50${cursor ? `&cursor=${cursor}` : ""}`);

/** @param {Amount} amount @returns {Promise<{ operation_id: string, state: string, sentence: string }>} */
export const topUp = (amount) => moveMoney("/v1/top-ups", { amount });

/** @param {Amount} amount @returns {Promise<{ operation_id: string, state: string, sentence: string }>} */
export const withdraw = (amount) => moveMoney("/v1/withdrawals", { amount });

/**
 * @returns {Promise<{ network_id: number, root_key: string, issuer_keys: string[], operator_key: string,
 *   signed_time: string }>}
 */
export const issuer = () => call("GET", "/v1/offline/issuer");

/** @returns {Promise<MoneyView>} */
export const money = () => call("GET", "/v1/offline/money");

/** @returns {Promise<{ challenge_id: string, challenge: string, expires_at: string }>} */
export const newChallenge = () => call("POST", "/v1/offline/devices/challenges");

/**
 * @param {{ challenge_id: string, public_key: string, signature: string, name: string, receive_only: boolean }} order
 * @returns {Promise<Device>}
 */
export const registerDevice = (order) => call("POST", "/v1/offline/devices", { body: order });

/** @param {string} id */
export const retireDevice = (id) => call("POST", `/v1/offline/devices/${id}/retirement`);

/** @param {string} deviceId @param {Amount} amount @returns {Promise<Loading>} */
export const load = (deviceId, amount) => moveMoney("/v1/offline/vouchers", { device_id: deviceId, amount });

/**
 * @param {{ device_id: string | null, bundles: string[], refusals: string[], offline_balance_wanted: Amount | null }}
 *   order
 * @returns {Promise<SyncAnswer>}
 */
export const sync = (order) => call("POST", "/v1/offline/sync", { body: order });
