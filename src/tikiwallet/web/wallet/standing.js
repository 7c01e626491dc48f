// How the account stands with the operator: frozen, closing. Kept, so that it is said without a network too.
import { me } from "../api.js";
import { remember, write } from "../store.js";

/** Learn it anew. Throws Problem, Unreachable. */
export async function learnStanding() {
  await write([remember("person", await me())]);
}
