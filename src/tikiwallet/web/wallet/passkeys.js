// Passkeys: what the browser is asked to make or to sign, and what comes of it in the server's words.
import { canUsePasskeys, createPasskey, usePasskey } from "../platform.js";
import { fromBase64Url, toBase64Url } from "./base64url.js";

/** @import { Person } from "../api.js" */
/** @import { Assertion, PasskeyChallenge } from "../api-proofs.js" */

const WAIT_MS = 5 * 60 * 1000; // as long as the challenge lives
const ALGORITHMS = [-8, -7, -257];

export { canUsePasskeys };

/** The person said no, or no passkey was there; the browser does not tell which. */
export class PasskeyNotUsed extends Error {
  name = "PasskeyNotUsed";
  code = "passkey_not_used";
}

/** The wallet was opened at another address than the operator gave for it (`TIKIWALLET_ORIGIN`). */
export class PasskeyElsewhere extends Error {
  name = "PasskeyElsewhere";
  code = "passkey_elsewhere";
}

/** This phone holds a passkey for this wallet already. */
export class PasskeyHere extends Error {
  name = "PasskeyHere";
  code = "passkey_taken";
}

/**
 * Have a passkey made for `owner`. Throws PasskeyNotUsed, PasskeyHere, PasskeyElsewhere.
 * @param {PasskeyChallenge} challenge @param {Person} owner
 */
export async function make(challenge, owner) {
  const made = await createPasskey({
    challenge: fromBase64Url(challenge.challenge),
    rp: { id: challenge.rp_id, name: "TikiWallet" },
    user: { id: uuidBytes(owner.person_id), name: owner.username, displayName: owner.username },
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
    authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
    excludeCredentials: named(challenge),
    attestation: "none",
    timeout: WAIT_MS,
  }).catch(notUsed);
  const response = /** @type {AuthenticatorAttestationResponse} */ (made.response);
  return {
    credential_id: text(made.rawId),
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.getAuthenticatorData()),
  };
}

/**
 * Have a passkey sign: one of those that are named or, if none is, any of this wallet.
 * Throws PasskeyNotUsed, PasskeyElsewhere.
 * @param {PasskeyChallenge} challenge @returns {Promise<Assertion>}
 */
export async function sign(challenge) {
  const signed = await usePasskey({
    challenge: fromBase64Url(challenge.challenge),
    rpId: challenge.rp_id,
    allowCredentials: named(challenge),
    userVerification: "required",
    timeout: WAIT_MS,
  }).catch(notUsed);
  const response = /** @type {AuthenticatorAssertionResponse} */ (signed.response);
  return {
    credential_id: text(signed.rawId),
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.authenticatorData),
    signature: text(response.signature),
    user_handle: response.userHandle ? text(response.userHandle) : "",
  };
}

/** @param {PasskeyChallenge} challenge @returns {PublicKeyCredentialDescriptor[]} */
const named = ({ credential_ids: ids }) => ids.map((id) => ({ type: "public-key", id: fromBase64Url(id) }));

/** @param {ArrayBuffer} value */
const text = (value) => toBase64Url(new Uint8Array(value));

/** @param {string} id */
const uuidBytes = (id) => Uint8Array.from(id.replaceAll("-", "").match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** @param {unknown} error @returns {never} */
function notUsed(error) {
  if (!(error instanceof DOMException)) throw error;
  if (error.name === "SecurityError") throw new PasskeyElsewhere();
  throw error.name === "InvalidStateError" ? new PasskeyHere() : new PasskeyNotUsed();
}
