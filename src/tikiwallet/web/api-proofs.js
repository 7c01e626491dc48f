// What the server is asked about who is there: passkeys, recovery codes, proofs. Only screens that load later need it.
import { call } from "./api.js";

/** @import { Session } from "./api.js" */

/** @typedef {{ passkey_id: string, name: string, created_at: string, last_used_at: string | null }} Passkey */
/** @typedef {{ challenge: string, rp_id: string, credential_ids: string[], expires_at: string }} PasskeyChallenge */
/**
 * What a passkey signed, all in base64url.
 * @typedef {{ credential_id: string, client_data: string, authenticator_data: string, signature: string,
 *   user_handle: string }} Assertion
 */
/** @typedef {{ recovery_code: string } | { text_message: { request_id: string, code: string } }} SecondProof */
/** @typedef {{ request_id: string, phone_masked: string, code_expires_at: string }} TextSent */

/** @param {string} phone @param {string} password @returns {Promise<TextSent>} */
export const sendSignInText = (phone, password) =>
  call("POST", "/v1/sessions/text-message", { body: { phone, password } });

/** @returns {Promise<PasskeyChallenge>} */
export const signInChallenge = () => call("POST", "/v1/sessions/challenge");

/** @param {Assertion} assertion @returns {Promise<Session>} */
export const signInByPasskey = (assertion) => call("POST", "/v1/sessions/passkey", { body: assertion });

/** Prove again who is there, for this session. @param {{ password: string } | { passkey: Assertion }} given */
export const prove = (given) => call("POST", "/v1/proofs", { body: given });

/** @returns {Promise<PasskeyChallenge>} */
export const proofChallenge = () => call("POST", "/v1/proofs/challenge");

/** @returns {Promise<{ items: Passkey[] }>} */
export const passkeys = () => call("GET", "/v1/passkeys");

/** @returns {Promise<PasskeyChallenge>} */
export const newPasskeyChallenge = () => call("POST", "/v1/passkeys/challenge");

/** @param {string} name @param {Omit<Assertion, "signature" | "user_handle">} made @returns {Promise<Passkey>} */
export const addPasskey = (name, made) => call("POST", "/v1/passkeys", { body: { name, ...made } });

/** @param {string} id @param {string} name @returns {Promise<Passkey>} */
export const renamePasskey = (id, name) => call("PATCH", `/v1/passkeys/${id}`, { body: { name } });

/** @param {string} id @returns {Promise<null>} */
export const removePasskey = (id) => call("DELETE", `/v1/passkeys/${id}`);

/** @returns {Promise<{ left: number, made_at: string | null }>} */
export const recoveryCodesLeft = () => call("GET", "/v1/recovery-codes");

/** @returns {Promise<{ codes: string[] }>} */
export const makeRecoveryCodes = () => call("POST", "/v1/recovery-codes");
