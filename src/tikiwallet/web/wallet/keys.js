// My phone's key: made here, never leaves, retired when this wallet may not know what it signed.
//
// A restored backup or a cloned profile does not know what its key signed since. If it went on paying with that key, an
// honest person would look like a cheat. So a random install id and the number of payments signed lie in two places.
// When the ids differ, or the other place knows of more payments, the key is retired: a new one is made, nothing held
// by the old one is handed on, and the account gets it when its vouchers close.
import * as platform from "../platform.js";
import { all, write } from "../store.js";
import { privateKeySigner } from "../tikicash/cose.js";
import { keyId, parse } from "../tikicash/messages.js";
import { compress } from "../tikicash/p256.js";

/** @import { Certificate, Opening } from "../tikicash/bodies.js" */
/** @import { Signer } from "../tikicash/cose.js" */
/** @import { Signed } from "../tikicash/messages.js" */

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };

/**
 * A row of the table `keys`. `certificate` is the bytes of the newest one; `told` says that the operator knows of the
 * retirement; `signed` counts the payments that it signed.
 * @typedef {{ public_key: string, key_id: string, private_key: CryptoKey, install_id: string, made_at: number,
 *   signed: number, device_id: string | null, certificate: Uint8Array | null, certificate_opening: Opening | null,
 *   retired_at: number | null, told: boolean }} Key
 */

/** This browser cannot keep a key (a private window, or a lockdown mode): no offline money here. */
export class KeyNotKept extends Error {
  name = "KeyNotKept";
  code = "key_not_kept";
}

/** Return my keys, the retired ones too. @returns {Promise<Key[]>} */
export const myKeys = () => all("keys");

/**
 * Return the key in use, made if there is none. Retires the one in use if the database is not the newest state of this
 * install. Only inside `exclusive`. Throws KeyNotKept.
 * @returns {Promise<Key>}
 */
export async function currentKey() {
  const found = (await myKeys()).find((key) => key.retired_at === null);
  if (found && found.install_id === platform.installIdBeside() && (found.signed ?? 0) >= platform.signedBeside()) {
    return found;
  }
  if (found) await write([{ table: "keys", put: { ...found, retired_at: platform.unixNow() } }]);
  return makeKey();
}

/** @returns {Promise<Key>} */
async function makeKey() {
  try {
    const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    const publicKey = compress(point);
    /** @type {Key} */
    const key = {
      public_key: publicKey,
      key_id: keyId(publicKey),
      private_key: pair.privateKey,
      install_id: platform.newInstallId(),
      made_at: platform.unixNow(),
      signed: 0,
      device_id: null,
      certificate: null,
      certificate_opening: null,
      retired_at: null,
      told: false,
    };
    await write([{ table: "keys", put: key }]);
    const kept = (await myKeys()).find((item) => item.public_key === publicKey);
    await signerOf(/** @type {Key} */ (kept)).sign(point);
    return key;
  } catch (error) {
    if (error instanceof DOMException || error instanceof TypeError) throw new KeyNotKept();
    throw error;
  }
}

/** Return what signs with a key. @param {Key} key @returns {Signer} */
export function signerOf(key) {
  return privateKeySigner(key.private_key, key.public_key);
}

/** Return a key's newest certificate, or null. @param {Key} key @returns {Signed<Certificate> | null} */
export function certificateOf(key) {
  return key.certificate === null ? null : /** @type {Signed<Certificate>} */ (parse(key.certificate));
}
