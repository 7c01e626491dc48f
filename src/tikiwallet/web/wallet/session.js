// Who this wallet belongs to, and whether the server knows that it is us.
//
// Offline money belongs to the wallet and not to a session: signing out or a session that ends takes nothing away.
import * as api from "../api.js";
import { fact, remember, write } from "../store.js";

/** @import { Session } from "../api.js" */
/** @import { Change } from "../store.js" */

/** @param {string} name @returns {Change} */
const forget = (name) => ({ table: "facts", remove: name });

/** Somebody else signs in where another person's money is. */
export class WalletOfAnother extends Error {
  name = "WalletOfAnother";
  code = "wallet_of_another";
}

/**
 * Keep a session. Throws WalletOfAnother.
 * @param {Session} session
 */
export async function keepSession({ expires_at, person }) {
  const owner = await fact("person");
  if (owner !== null && owner.person_id !== person.person_id) {
    await signOut(); // it was opened just now, and nobody will use it here
    throw new WalletOfAnother();
  }
  await write([remember("person", person), remember("session", { expires_at }), forget("session_left")]);
}

/** End the session here at once, and there if the server can be reached; nothing else is forgotten. */
export async function signOut() {
  await write([forget("session"), remember("session_left", true)]);
  await endLeftSession();
}

/** End there the session that was left here. While the server can't be reached it stays to be done. */
export async function endLeftSession() {
  if (!(await fact("session_left"))) return;
  try {
    await api.signOut();
  } catch (error) {
    if (!(error instanceof api.Problem) || error.status >= 500) return;
  }
  await write([forget("session_left")]);
}

/** Forget a session that the server does not know any more. */
export const forgetSession = () => write([forget("session")]);
