// Who this wallet belongs to, and whether the server knows that it is us.
//
// Offline money belongs to the wallet and not to a session: signing out or a session that ends takes nothing away.
import * as api from "../api.js";
import { fact, remember, write } from "../store.js";
import { keptOf } from "./refreshing.js";

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
export async function keepSession(session) {
  const { person, notices } = session;
  const owner = await fact("person");
  if (owner !== null && owner.person_id !== person.person_id) {
    await leave(keptOf(session)); // it was opened just now, and nobody will use it here
    throw new WalletOfAnother();
  }
  // With it came new cookies, so that the key of an exchange of before is worth nothing.
  await write([
    remember("person", person), remember("session", keptOf(session)), remember("notices", notices),
    forget("session_left"), forget("refresh_key"),
  ]);
}

/** End the session here at once, and there if the server can be reached; nothing else is forgotten. */
export async function signOut() {
  await leave((await fact("session")) ?? {});
}

/** @param {object} kept what was kept of the session that is left */
async function leave(kept) {
  await write([forget("session"), remember("session_left", kept), forget("notices")]);
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