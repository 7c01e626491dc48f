// Keeps the session up: exchanges its tokens before they run out, and when the server says that they have.
//
// The tokens are in cookies that no script reads; what this wallet adds is the key of each exchange. A refresh token
// works once, and one that is used again in another exchange ends the session: so the key is on the disk before it is
// used, and an exchange whose answer was lost is repeated with it. A page that starts anew repeats the last key once
// more, because the browser may have lost the newest cookie with the power (ADR 0025). Tabs take turns.
import { randomId, unixNow } from "../platform.js";
import { fact, remember, whileMine, write } from "../store.js";

/** @import { Session } from "../api.js" */
/** @typedef {{ expires_at: string, refresh_at?: number }} Kept in the fact `session`, or `session_left` */

const EARLY_SECONDS = 60;

let hasSeenAnswer = false; // of an exchange of this page

/** What is kept of a session: when to refresh is by this phone's clock, which may be wrong. @param {Session} session */
export const keptOf = ({ expires_at, token_ttl_seconds }) => ({
  expires_at,
  refresh_at: unixNow() + token_ttl_seconds - Math.min(EARLY_SECONDS, token_ttl_seconds / 2),
});

/** Tell which session is here, if there is one to go on with: also one that was left and still has to be ended. */
async function here() {
  for (const name of ["session", "session_left"]) {
    /** @type {Kept | null} */
    const kept = await fact(name);
    if (kept !== null) return { name, refreshAt: kept.refresh_at ?? 0 };
  }
  return null;
}

/** Return which tokens are in use, for `refreshFrom`; null without a session. */
export const tokensInUse = async () => (await here())?.refreshAt ?? null;

/** Tell whether tokens run out soon. @param {number | null} tokens */
export const isDue = (tokens) => tokens !== null && unixNow() >= tokens;

/**
 * Exchange tokens, unless somebody did meanwhile; tell whether there are others now. `exchange` asks the server, and
 * what it throws is thrown; `isOver` says that the server knows this session no more, and then it is forgotten here.
 * @param {number | null} tokens @param {(key: string) => Promise<Session>} exchange
 * @param {(error: unknown) => boolean} isOver @returns {Promise<boolean>}
 */
export const refreshFrom = (tokens, exchange, isOver) =>
  whileMine("refresh", async () => {
    const now = await here();
    if (now === null || now.refreshAt !== tokens) return now !== null;
    /** @type {string | null} */
    let key = await fact("refresh_key");
    if (key === null || hasSeenAnswer) {
      key = randomId();
      await write([remember("refresh_key", key)]);
    }
    try {
      const session = await exchange(key);
      hasSeenAnswer = true;
      await write([remember(now.name, keptOf(session)), remember("notices", session.notices)]);
      return true;
    } catch (error) {
      if (isOver(error)) await write([{ table: "facts", remove: now.name }]);
      throw error;
    }
  });
