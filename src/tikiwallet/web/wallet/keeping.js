// Keep some money on this phone by itself: the amount that the person wants is asked for at each sync.
//
// Off until the person says so: offline money is bound until it is spent or its dates come. What came of it is written
// down, so that "why is there less than I wanted?" has an answer without a network.
import { unixNow } from "../platform.js";
import { fact, remember, write } from "../store.js";

/** @import { Amount } from "../api.js" */
/** @import { Synced } from "./sync.js" */
/**
 * What the last sync did for it: `code` is "" if there is as much as is wanted or it is on its way.
 * @typedef {{ at: number, loaded_minor: number, code: string, detail: string }} Kept
 */

/** Remember how many minor units to keep; 0 is off. @param {number} minor @param {string} currency */
export const keepOffline = (minor, currency) =>
  write([
    minor === 0
      ? { table: "facts", remove: "kept_wanted" }
      : remember("kept_wanted", { amount_minor: minor, currency }),
    { table: "facts", remove: "kept" },
  ]);

/** Return what the person wants to have offline, or null. @returns {Promise<Amount | null>} */
export const wantedOffline = () => fact("kept_wanted");

/** Write down what a sync did for it. @param {Synced} synced */
export function noteKept({ loaded_minor, loading }) {
  /** @type {Kept} */
  const kept = { at: unixNow(), loaded_minor, code: loading?.code ?? "", detail: loading?.detail ?? "" };
  return write([remember("kept", kept)]);
}
