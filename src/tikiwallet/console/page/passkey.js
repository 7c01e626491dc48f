// The operator's passkey: made for a link, and signing each sign-in. The browser sees to the finger, face or PIN.
import { ask, Refusal } from "./api.js";

const WAIT_MS = 5 * 60 * 1000; // as long as the challenge lives
const ALGORITHMS = [-8, -7, -257];

/** Register a passkey by the secret of a link. @param {string} token */
export async function enrol(token) {
  const asked = await ask("POST", "/enrolments/challenge", { token });
  const made = await used(
    navigator.credentials.create({
      publicKey: {
        challenge: bytes(asked.challenge.challenge),
        rp: { id: asked.challenge.rp_id, name: "TikiWallet operators" },
        user: { id: bytes(asked.user_handle), name: asked.name, displayName: `${asked.name} (operator)` },
        pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
        attestation: "none",
        timeout: WAIT_MS,
      },
    }),
  );
  const response = /** @type {AuthenticatorAttestationResponse} */ (made.response);
  await ask("POST", "/enrolments", {
    token,
    passkey: {
      name: "operator",
      credential_id: text(made.rawId),
      client_data: text(response.clientDataJSON),
      authenticator_data: text(response.getAuthenticatorData()),
    },
  });
  return asked.name;
}

/** Sign in. */
export async function signIn() {
  const asked = await ask("POST", "/sessions/challenge");
  const signed = await used(
    navigator.credentials.get({
      publicKey: {
        challenge: bytes(asked.challenge), rpId: asked.rp_id, userVerification: "required", timeout: WAIT_MS,
      },
    }),
  );
  const response = /** @type {AuthenticatorAssertionResponse} */ (signed.response);
  return ask("POST", "/sessions", {
    credential_id: text(signed.rawId),
    client_data: text(response.clientDataJSON),
    authenticator_data: text(response.authenticatorData),
    signature: text(response.signature),
    user_handle: response.userHandle ? text(response.userHandle) : "",
  });
}

/** @param {Promise<Credential | null>} asked @returns {Promise<PublicKeyCredential>} */
async function used(asked) {
  const found = await asked.catch(() => null);
  if (!found) throw new Refusal("passkey_not_used", "No passkey was used; try again.");
  return /** @type {PublicKeyCredential} */ (found);
}

/** @param {ArrayBuffer} buffer */
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/** @param {string} base64url */
const bytes = (base64url) =>
  Uint8Array.from(atob(base64url.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
