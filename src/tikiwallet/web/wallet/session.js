// Who this wallet belongs to, and whether the server knows that it is us.
//
// Offline money belongs to the wallet and not to a session: signing out or a session that ends takes nothing away.
import * as api from "../api.js";
import { fact, remember, write } from "../store.js";

/** @import { Session } from "../api.js" */

/** Somebody else signs in where another person's money is. */
export class WalletOfAnother extends Error {
  name = "WalletOfAnother";
  code = "wallet_of_another";
}

/**
 * Keep a session. Throws WalletOfAnother.
 * @param {Session} session
 */
export async function keepSession({ token, expires_at, person }) {
  const owner = await fact("person");
  if (owner !== null && owner.person_id !== person.person_id) {
    await api.signOut(token).catch(() => undefined); // it was opened just now, and nobody will use it here
    throw new WalletOfAnother();
  }
  await write([remember("person", person), remember("session", { token, expires_at })]);
}

/** End the session here at once, and there if the server can be reached; nothing else is forgotten. */
export async function signOut() {
  await api.signOut().catch(() => undefined); // it ends there by itself within hours
  await write([{ table: "facts", remove: "session" }]);
}

/** Forget a session that the server does not know any more. */
export const forgetSession = () => write([{ table: "facts", remove: "session" }]);
