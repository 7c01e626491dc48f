// Sync by itself: by trying, sooner after something happened, later and later while nobody answers.
import { Problem, Unreachable } from "../api.js";
import { onPerhapsOnline, phoneName, unixNow } from "../platform.js";
import { isSignedIn, refresh } from "../state.js";
import { signal } from "../vendor/ui.js";
import { noteKept, wantedOffline } from "./keeping.js";
import { meetOnline } from "./online.js";
import { settleAbandoned } from "./orders.js";
import { endLeftSession } from "./session.js";
import { PhoneBlocked, sync } from "./sync.js";

const RETRY_MIN_MS = 4_000;
const RETRY_MAX_MS = 300_000;
const AGAIN_MS = 60_000;

/**
 * How the last sync went. `code` is "" if it went well.
 * @type {import("@preact/signals").Signal<{ isRunning: boolean, done: number, of: number, ended_at: number,
 *   code: string }>}
 */
export const syncState = signal({ isRunning: false, done: 0, of: 0, ended_at: 0, code: "" });

/**
 * Whether the server answered when it was last asked; null before.
 * @type {import("@preact/signals").Signal<boolean | null>}
 */
export const isOnline = signal(null);

let waitMs = RETRY_MIN_MS;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {Promise<void> | null} */
let running = null;
/** @type {Promise<void> | null} */
let following = null;

/** Start syncing, now and whenever it may help. */
export function startSyncing() {
  onPerhapsOnline(() => void syncNow());
  void syncNow();
}

/**
 * Sync now. While one is under way, one more follows it: what was written since it began may not be in it. Never
 * throws: the outcome is in `syncState`.
 * @returns {Promise<void>}
 */
export function syncNow() {
  if (!running) {
    running = once().finally(() => {
      running = null;
    });
    return running;
  }
  following ??= running.then(() => {
    following = null;
    return syncNow();
  });
  return following;
}

async function once() {
  clearTimeout(timer);
  syncState.value = { ...syncState.value, isRunning: true, done: 0, of: 0 };
  await settleAbandoned();
  if (!isSignedIn.value) {
    await endLeftSession();
    await refresh();
    syncState.value = { ...syncState.value, isRunning: false };
    return;
  }
  const code = await attempt();
  await refresh();
  isOnline.value = code !== "unreachable";
  syncState.value = { ...syncState.value, isRunning: false, ended_at: unixNow(), code };
  waitMs = code === "" ? RETRY_MIN_MS : Math.min(waitMs * 2, RETRY_MAX_MS);
  timer = setTimeout(() => void syncNow(), code === "" ? AGAIN_MS : waitMs);
}

/** Sync once; return "" or the code of what went wrong. */
async function attempt() {
  try {
    const progress = (/** @type {number} */ done, /** @type {number} */ of) => {
      syncState.value = { ...syncState.value, done, of };
    };
    const keep = await wantedOffline();
    const synced = await sync({ phoneName: phoneName(), keep, progress });
    if (keep !== null) await noteKept(synced);
    await meetOnline();
    return "";
  } catch (error) {
    const isSaid = error instanceof Problem || error instanceof Unreachable || error instanceof PhoneBlocked;
    if (!isSaid) console.error(error);
    return error instanceof Error && "code" in error ? String(error.code) : "internal_error";
  }
}
