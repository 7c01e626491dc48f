// A PIN before paying and before balances are seen: a lock on the screen.
//
// It keeps out who picks up an open phone, and protects no key from who can read the phone's storage; the help says so.
// Wrong tries cost time that grows. The time is counted by this page while it is open and is written down, so that
// neither closing the app nor setting the phone's clock shortens it.
import { onHiddenLong, randomHex } from "../platform.js";
import { exclusive, fact, remember, write } from "../store.js";
import { hex, unhex } from "../tikicash/encoding.js";
import { signal } from "../vendor/ui.js";

/**
 * `wait_seconds` is what has to pass, with the wallet open, before the next try; `tries` counts the wrong ones.
 * @typedef {{ salt: string, hash: string, iterations: number, tries: number, wait_seconds: number }} Pin
 */

const ITERATIONS = 210_000; // of PBKDF2 with SHA-512: a second on a slow phone
const SALT_BYTES = 16;
const FREE_TRIES = 3;
const FIRST_WAIT_SECONDS = 30;
const WAIT_SECONDS_MAX = 900;
const LOCKED_AFTER_HIDDEN_SECONDS = 60;
const PIN_SHAPE = /^\d{4,8}$/;

/** Whether the PIN was given since the wallet was opened or came back. */
export const isUnlocked = signal(false);

/** Tell whether a text can be a PIN. @param {string} text */
export const isPin = (text) => PIN_SHAPE.test(text);

/** Return how many seconds the wrong try number `tries` costs: 30 from the third on, doubled each time, at most 900. */
export function waitAfter(/** @type {number} */ tries) {
  if (tries < FREE_TRIES) return 0;
  return Math.min(FIRST_WAIT_SECONDS * 2 ** (tries - FREE_TRIES), WAIT_SECONDS_MAX);
}

/** Set a PIN in place of the one before, if any. @param {string} pin */
export async function setPin(pin) {
  const salt = randomHex(SALT_BYTES);
  const hash = await slowHash(pin, salt, ITERATIONS);
  await exclusive(() => write([remember("pin", { salt, hash, iterations: ITERATIONS, tries: 0, wait_seconds: 0 })]));
  isUnlocked.value = true;
}

/** Remove the PIN. The caller has made sure that it is the owner: unlocked, or signed in with the password. */
export const removePin = () => exclusive(() => write([{ table: "facts", remove: "pin" }]));

/**
 * Unlock with a PIN; return whether it is right. Nothing is compared while a wait is left. A try is counted before it
 * is compared, so that killing the app gives no free one.
 * @param {string} given @returns {Promise<boolean>}
 */
export function tryPin(given) {
  return exclusive(async () => {
    /** @type {Pin | null} */
    const pin = await fact("pin");
    if (pin === null) return (isUnlocked.value = true);
    if (pin.wait_seconds > 0) return false;
    const tries = pin.tries + 1;
    await write([remember("pin", { ...pin, tries, wait_seconds: waitAfter(tries) })]);
    if ((await slowHash(given, pin.salt, pin.iterations)) !== pin.hash) return false;
    await write([remember("pin", { ...pin, tries: 0, wait_seconds: 0 })]);
    return (isUnlocked.value = true);
  });
}

/** Write down that some seconds of the wait have passed with the wallet open. @param {number} seconds */
export function waited(seconds) {
  return exclusive(async () => {
    /** @type {Pin | null} */
    const pin = await fact("pin");
    if (pin && pin.wait_seconds > 0) {
      await write([remember("pin", { ...pin, wait_seconds: Math.max(0, pin.wait_seconds - seconds) })]);
    }
  });
}

/** Lock again when nobody has looked at the wallet for a while. */
export function lockWhenLeft() {
  onHiddenLong(LOCKED_AFTER_HIDDEN_SECONDS, () => (isUnlocked.value = false));
}

/** @param {string} pin @param {string} salt hex @param {number} iterations */
async function slowHash(pin, salt, iterations) {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(pin), "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits(
    { name: "PBKDF2", hash: "SHA-512", salt: /** @type {BufferSource} */ (unhex(salt)), iterations }, key, 256,
  );
  return hex(new Uint8Array(bits));
}
