// The server, as the wallet sees it: the only place that fetches.
//
// Whether there is a network is never asked, only tried: what the browser believes about it is often wrong, and a
// captive portal answers every question with a page of its own. Every call ends as one of three: an answer, a Problem
// (the server said no, with a code and a sentence), or Unreachable (nothing is known of what happened there).
import { randomId, unixNow } from "./platform.js";
import { fact, remember, write } from "./store.js";
import { isDue, refreshFrom, tokensInUse } from "./wallet/refreshing.js";

/** @import { Change } from "./store.js" */

const TIMEOUT_MS = 20_000;
const GLANCE_MS = 3_000; // where somebody stands and waits, and there is another way

/**
 * Which limit stood in the way.
 * @typedef {{ limit: string, left_minor?: number, currency?: string, resets_at?: string }} Passed
 */
/** The server said no: a problem document with a stable code and a sentence for the person. */
export class Problem extends Error {
  /**
   * @param {{ code: string, title: string, detail: string, field?: string, status: number, passed?: Passed,
   *   methods?: string[] }} said
   */
  constructor(said) {
    super(said.code);
    this.name = "Problem";
    this.code = said.code;
    this.sentence = said.detail || said.title;
    this.field = said.field ?? "";
    this.status = said.status;
    this.passed = said.passed ?? null;
    this.methods = said.methods ?? []; // the ways to go on, as step_up_required names them
  }
}

/**
 * Whether a "no" is final. Asked too often, without a session, or in trouble, the server hasn't looked at the order: it
 * may have been done when it was asked before. @param {unknown} error
 */
export const isFinalNo = (error) =>
  error instanceof Problem && error.status < 500 && ![401, 429].includes(error.status);

/** Whether the session, or only its token, has run out. @param {unknown} error */
const isSessionOver = (error) =>
  error instanceof Problem && ["session_invalid", "session_missing"].includes(error.code);

/** No answer of ours came: no network, a server that is away, or somebody else's page. */
export class Unreachable extends Error {
  name = "Unreachable";
  code = "unreachable";
}

/** @typedef {{ amount_minor: number, currency: string }} Amount */
/**
 * @typedef {{ notice_id: string, kind: string, session_id: string, label: string, noticed_at: string }} SecurityNotice
 */
/**
 * Its tokens are in cookies that no script can read.
 * @typedef {{ expires_at: string, token_ttl_seconds: number, person: Person, notices: SecurityNotice[] }} Session
 */
/**
 * `state` is absent while the wallet is active.
 * @typedef {{ person_id: string, username: string, phone: string, tier: string, state?: string,
 *   frozen_because?: string }} Person
 */
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
 *   state: string }[], certificate: string | null, certificate_opening: OpeningSaid | null,
 *   revocations: string | null, signed_time: string | null, issuer_keys: string[], money: MoneyView | null,
 *   loading: Loading | null, code: string | null, detail: string }} SyncAnswer what is null comes with the last portion
 */
/**
 * @typedef {{ transfer_id: string, payer: PublicPerson, payee: PublicPerson, amount: Amount, memo: string,
 *   sent_at: string }} Receipt
 */
/**
 * @typedef {{ request_id: string, payer: PublicPerson, payee: PublicPerson, amount: Amount, memo: string,
 *   state: string, created_at: string, expires_at: string, changed_at: string, receipt: Receipt | null }} MoneyRequest
 */
/**
 * @typedef {{ reference: string, payee: PublicPerson, payer: PublicPerson | null, amount: Amount, state: string,
 *   payable_until: string, payee_told_at: string | null, receipt: Receipt | null }} ShownRequest
 */
/**
 * @typedef {{ operation_id: string, kind: "top_up" | "withdrawal", amount: Amount, state: string, sentence: string,
 *   created_at: string, changed_at: string, is_demo: boolean, reason: "" | "expired" | "cancelled", fee_minor: number,
 *   go_to_url: string, expires_at: string | null, expected_by: string | null, can_be_cancelled: boolean }} Operation
 */
/**
 * @typedef {{ transfer_id: string, kind: string, direction: "in" | "out", amount: Amount, balance: Amount,
 *   counterparty: PublicPerson | string, memo: string, at: string }} HistoryItem
 */

/**
 * What a tier may do, in minor units; `early_release_minor` is how much a hand-back brings at once.
 * @typedef {{ tier: string, currency: string, payment_max_minor: number, voucher_max_minor: number,
 *   early_release_minor: number }} Limits
 */
/**
 * A phone of mine. Instants are RFC 3339.
 * @typedef {{ device_id: string, name: string, receive_only: boolean, registered_at: string,
 *   retired_at: string | null }} Phone
 */
/**
 * What is on one phone, what it was paid, until when it can pay and when all of it is decided.
 * @typedef {{ name: string, retired_at: string | null, blocked: object | null, payable: Amount,
 *   payable_until: string | null, received: Amount, final: Amount, home_at: string | null }} PhoneMoney
 */
/**
 * @typedef {{ session_id: string, label: string, issued_at: string, last_seen_at: string, expires_at: string,
 *   is_current: boolean }} OpenSession
 */

/** @typedef {{ body?: unknown, key?: string, fileType?: string, timeoutMs?: number }} Given `fileType`: the answer is a
 *   file of that type */

/**
 * Ask the server, with fresh tokens if those in use have run out. Throws Problem or Unreachable.
 * @param {string} method @param {string} path @param {Given} [given] @returns {Promise<any>}
 */
export async function call(method, path, given) {
  const tokens = await tokensInUse();
  const exchange = (/** @type {string} */ key) =>
    ask("POST", "/v1/sessions/refresh", { body: {}, key, timeoutMs: given?.timeoutMs });
  if (isDue(tokens)) {
    await refreshFrom(tokens, exchange, isSessionOver).catch((error) => {
      if (isSessionOver(error) || error instanceof Unreachable) throw error; // else the old tokens may do for a while
    });
  }
  try {
    return await ask(method, path, given);
  } catch (error) {
    if (!isSessionOver(error) || !(await refreshFrom(tokens, exchange, isSessionOver))) throw error;
    return ask(method, path, given);
  }
}

/**
 * Ask the server once. Throws Problem or Unreachable.
 * @param {string} method @param {string} path @param {Given} [given] @returns {Promise<any>}
 */
async function ask(method, path, { body, key, fileType, timeoutMs = TIMEOUT_MS } = {}) {
  /** @type {Record<string, string>} */
  const headers = { "tikiwallet-client": "web" }; // without it the server takes no cookie: no other site can send it
  if (key) headers["idempotency-key"] = key;
  if (body !== undefined) headers["content-type"] = "application/json";
  const content = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(`.${path}`, {
    method,
    headers,
    body: content,
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  }).catch(unreachable);
  await countBytes(path.length + JSON.stringify(headers).length + (content?.length ?? 0), response);
  if (response.status === 204) return null;
  const type = response.headers.get("content-type") ?? "";
  if (fileType && type.startsWith(fileType)) return response.blob().catch(unreachable);
  if (!/^application\/(problem\+)?json/.test(type)) throw new Unreachable();
  const answer = await response.json().catch(unreachable);
  if (!response.ok) throw new Problem({ ...answer, status: response.status });
  return answer;
}

// What HTTP itself adds to a question and to an answer, about.
const SENT_WITH_EACH_BYTES = 300;
const RECEIVED_WITH_EACH_BYTES = 400;

/** @typedef {{ since: number, sent_bytes: number, received_bytes: number }} DataUsed `since` in unix seconds */

/** Return how much went over the network, about. @returns {Promise<DataUsed>} */
export const dataUsed = async () =>
  (await fact("data_used")) ?? { since: unixNow(), sent_bytes: 0, received_bytes: 0 };

/** @param {number} sentBytes @param {Response} response */
async function countBytes(sentBytes, response) {
  // As it came, zipped, where the server says so.
  const told = Number(response.headers.get("content-length") ?? 0);
  const length = told || (await response.clone().arrayBuffer()).byteLength;
  const used = await dataUsed();
  const sent_bytes = used.sent_bytes + sentBytes + SENT_WITH_EACH_BYTES;
  const received_bytes = used.received_bytes + length + RECEIVED_WITH_EACH_BYTES;
  await write([remember("data_used", { ...used, sent_bytes, received_bytes })]);
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
 *
 * `settled` forgets the key. It goes into the write that keeps what the answer brought: if it went before, an app
 * killed between the two would order again under a new key.
 * @template T @param {string} path @param {unknown} body @returns {Promise<{ answer: T, settled: Change }>}
 */
export async function moveMoney(path, body) {
  const name = `order ${path} ${JSON.stringify(body)}`;
  const key = (await fact(name)) ?? randomId();
  await write([remember(name, key)]);
  /** @type {Change} */
  const settled = { table: "facts", remove: name };
  try {
    return { answer: await call("POST", path, { body, key }), settled };
  } catch (error) {
    const comesAgain = error instanceof Problem && error.code === "step_up_required"; // with this key, once proven
    if (isFinalNo(error) && !comesAgain) await write([settled]); // otherwise it may have happened, and the key is kept
    throw error;
  }
}

/** @param {{ phone: string, username: string, password: string }} order */
export const register = (order) => ask("POST", "/v1/registrations", { body: order });

/** @param {string} id */
export const sendFreshCode = (id) => ask("POST", `/v1/registrations/${id}/code`);

/** @param {string} id @param {string} code @returns {Promise<Session>} */
export const verifyPhone = (id, code) => ask("POST", `/v1/registrations/${id}/verification`, { body: { code } });

/**
 * Sign in; `proof` on a phone where this person has not signed in before.
 * @param {string} phone @param {string} password @param {import("./api-proofs.js").SecondProof} [proof]
 * @returns {Promise<Session>}
 */
export const signIn = (phone, password, proof) =>
  call("POST", "/v1/sessions", { body: { phone, password, ...(proof && { proof }) } });

/** @returns {Promise<{ items: OpenSession[] }>} */
export const sessions = () => call("GET", "/v1/sessions");

/** @returns {Promise<Person>} */
export const me = () => call("GET", "/v1/me");

/** @param {string} id @returns {Promise<null>} */
export const endSession = (id) => call("DELETE", `/v1/sessions/${id}`);

/** End every session but this one. @returns {Promise<null>} */
export const endOtherSessions = () => call("DELETE", "/v1/sessions/others");

/** @returns {Promise<{ items: SecurityNotice[] }>} */
export const notices = () => call("GET", "/v1/notices");

/** @param {string} id @returns {Promise<null>} */
export const dismissNotice = (id) => call("POST", `/v1/notices/${id}/dismissal`);

/** End the session of this browser. @returns {Promise<null>} */
export const signOut = () => call("DELETE", "/v1/sessions/current");

/** @param {"phone" | "username"} by @param {string} who @returns {Promise<PublicPerson>} */
export const findPerson = (by, who) => call("GET", `/v1/people?${by}=${encodeURIComponent(who)}`);

/**
 * Pay somebody; `key` is the order's own, so that a repetition is the same payment.
 * @param {{ username: string, amount: Amount, memo: string, key: string }} order @returns {Promise<Receipt>}
 */
export const transfer = ({ username, amount, memo, key }) =>
  call("POST", "/v1/transfers", { body: { to: { username }, amount, memo }, key });

/**
 * The statement of a month ("2026-11") as a file.
 * @param {string} month @param {"pdf" | "csv"} form @param {string} language @returns {Promise<Blob>}
 */
export const fetchStatement = (month, form, language) =>
  call("GET", `/v1/statements/${encodeURIComponent(month)}/${form}?language=${language}`, {
    fileType: form === "pdf" ? "application/pdf" : "text/csv",
  });

/**
 * @param {{ cursor?: string | null, direction?: string, kind?: string, since?: string, until?: string }} query
 * @returns {Promise<{ items: HistoryItem[], next_cursor: string | null }>}
 */
export function history(query) {
  const given = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []));
  return call("GET", `/v1/history?${new URLSearchParams([["limit", "50"], ...given])}`);
}

/** My requests, by me and to me, newest first. @returns {Promise<{ items: MoneyRequest[] }>} */
export const requests = () => call("GET", "/v1/requests?limit=100");

/**
 * @param {{ payer: { username: string }, amount: Amount, memo: string }} order
 * @returns {Promise<{ answer: MoneyRequest, settled: Change }>}
 */
export const askFor = (order) => moveMoney("/v1/requests", order);

/** @param {string} id @param {string} key @returns {Promise<MoneyRequest>} */
export const payRequest = (id, key) => call("POST", `/v1/requests/${id}/payment`, { key });

/** @param {string} id @returns {Promise<MoneyRequest>} */
export const declineRequest = (id) => call("POST", `/v1/requests/${id}/decline`);

/** @param {string} id @returns {Promise<MoneyRequest>} */
export const cancelRequest = (id) => call("POST", `/v1/requests/${id}/cancellation`);

/**
 * Say that this phone shows a code.
 * @param {string} reference @param {Amount} amount @returns {Promise<ShownRequest>}
 */
export const showCode = (reference, amount) =>
  call("POST", "/v1/shown-requests", { body: { reference, amount }, timeoutMs: GLANCE_MS });

/** @param {string} reference @returns {Promise<ShownRequest>} */
export const shownCode = (reference) => call("GET", `/v1/shown-requests/${reference}`, { timeoutMs: GLANCE_MS });

/** @param {string} reference @param {string} memo @param {string} key @returns {Promise<ShownRequest>} */
export const payShownCode = (reference, memo, key) =>
  call("POST", `/v1/shown-requests/${reference}/payment`, { body: { memo }, key });

/** @param {string} reference @returns {Promise<ShownRequest>} */
export const cancelShownCode = (reference) => call("POST", `/v1/shown-requests/${reference}/cancellation`);

/** @param {Operation["kind"]} kind @param {string} id */
export const operationPath = (kind, id) => `/v1/${kind === "top_up" ? "top-ups" : "withdrawals"}/${id}`;

/**
 * How a top-up or withdrawal stands.
 * @param {Pick<Operation, "kind" | "operation_id">} operation @returns {Promise<Operation>}
 */
export const operation = ({ kind, operation_id: id }) => call("GET", operationPath(kind, id));

/**
 * @returns {Promise<{ network_id: number, root_key: string, issuer_keys: string[], operator_key: string,
 *   signed_time: string }>}
 */
export const issuer = () => call("GET", "/v1/offline/issuer");

/** @returns {Promise<Limits>} */
export const policy = () => call("GET", "/v1/offline/policy");

/** @returns {Promise<MoneyView>} */
export const money = () => call("GET", "/v1/offline/money");

/** @returns {Promise<{ challenge_id: string, challenge: string, expires_at: string }>} */
export const newChallenge = () => call("POST", "/v1/offline/devices/challenges");

/**
 * @param {{ challenge_id: string, public_key: string, signature: string, name: string, receive_only: boolean }} order
 * @returns {Promise<Device>}
 */
export const registerDevice = (order) => call("POST", "/v1/offline/devices", { body: order });

/** @returns {Promise<{ items: Phone[] }>} */
export const devices = () => call("GET", "/v1/offline/devices");

/** @param {string} id @returns {Promise<PhoneMoney>} */
export const phoneMoney = (id) => call("GET", `/v1/offline/devices/${id}/money`);

/** @param {string} id @returns {Promise<Phone>} */
export const retireDevice = (id) => call("POST", `/v1/offline/devices/${id}/retirement`);

/** @param {string} deviceId @param {Amount} amount @returns {Promise<{ answer: Loading, settled: Change }>} */
export const load = (deviceId, amount) => moveMoney("/v1/offline/vouchers", { device_id: deviceId, amount });

/**
 * @param {{ device_id: string | null, bundles: string[], refusals: string[], offline_balance_wanted?: Amount | null,
 *   more_follows?: boolean }} order
 * @returns {Promise<SyncAnswer>}
 */
export const sync = (order) => call("POST", "/v1/offline/sync", { body: order });
