// The calls of my account: limits, closing, what is held of me, and how I sign in. Lazy screens ask them.
import { call } from "./api.js";

/** @typedef {import("./api.js").Amount} Amount */

/**
 * What left in a day or month, and what still can; null: no limit.
 * @typedef {{ left_minor: number | null, out_max_minor: number | null, resets_at: string }} Span
 */
/** @typedef {{ currency: string, balance_max_minor: number | null, day: Span, month: Span }} Allowance */
/**
 * How closing stands: the state of the wallet, and what is in the way.
 * @typedef {{ state: string, obstacles: { kind: string, amount: Amount | null, until: string | null }[] }} Closing
 */

/** @returns {Promise<{ items: Allowance[] }>} */
export const allowances = () => call("GET", "/v1/limits");

/** Everything that is held of me. @returns {Promise<unknown>} */
export const exportData = () => call("GET", "/v1/me/export");

/** @returns {Promise<Closing>} */
export const lookAtClosing = () => call("GET", "/v1/me/closing");
/** @returns {Promise<Closing>} */
export const closeWallet = () => call("POST", "/v1/me/closing");
/** @returns {Promise<Closing>} */
export const keepWallet = () => call("DELETE", "/v1/me/closing");

/**
 * What waits about how I sign in, and until when little leaves the wallet.
 * @typedef {{ password: { effective_at: string } | null, phone: { phone_masked: string, effective_at: string } | null,
 *   outgoing_capped_until: string | null }} Protection
 */

/** @returns {Promise<Protection>} */
export const protection = () => call("GET", "/v1/me/protection");

/** Say no to what waits. @param {"password" | "phone"} what @returns {Promise<null>} */
export const cancelWaiting = (what) => call("DELETE", `/v1/me/waiting-${what}`);

/** @param {string} phone @returns {Promise<{ reset_id: string }>} */
export const askForReset = (phone) => call("POST", "/v1/password-resets", { body: { phone } });

/** @param {string} id @param {string} code @param {string} password @returns {Promise<{ effective_at: string }>} */
export const proveReset = (id, code, password) =>
  call("POST", `/v1/password-resets/${id}/verification`, { body: { code, password } });

/** @param {string} before @param {string} after @returns {Promise<null>} */
export const changePassword = (before, after) =>
  call("POST", "/v1/me/password", { body: { old_password: before, new_password: after } });

/** @param {string} phone @returns {Promise<{ change_id: string }>} */
export const movePhone = (phone) => call("POST", "/v1/me/phone-changes", { body: { phone } });

/** @param {string} id @param {string} newCode @param {string} oldCode @returns {Promise<{ effective_at: string }>} */
export const provePhone = (id, newCode, oldCode) =>
  call("POST", `/v1/me/phone-changes/${id}/verification`, { body: { new_code: newCode, old_code: oldCode } });
