// Meet the operator: bring what happened offline, take what is needed for the next time.
//
// Everything brought stays in the outbox until the operator answered for it, in small portions, so that a lost
// connection costs at most one portion and a repetition changes nothing. With the last one come fresh vouchers, the
// certificate, the list of blocked phones and a signed time.
import * as api from "../api.js";
import { all, exclusive, find, remember, write } from "../store.js";
import { unhex } from "../tikicash/encoding.js";
import { isTabThatForgets, unixNow } from "../platform.js";
import { fromBase64Url, toBase64Url } from "./base64url.js";
import { currentKey, myKeys, signerOf } from "./keys.js";
import { learn, pinNetwork } from "./trust.js";

/** @import { Amount, SyncAnswer } from "../api.js" */
/** @import { Said } from "./trust.js" */

export const PORTION = 40; // documents in one call; the largest 40 stay far below the server's body limit
const CHALLENGE_TAG = new TextEncoder().encode("TK1/device");

/**
 * A row of the table `outbox`; `outcome` is "" until the operator answered, then "recorded", "known" or "rejected".
 * `seen_at` (unix seconds) is when; entries of older versions lack it.
 * @typedef {{ entry_id: string, payment_id: string, kind: "bundle" | "refusal", bytes: Uint8Array, outcome: string,
 *   code: string, detail: string, seen_at?: number }} OutboxEntry
 */
/**
 * The operator has blocked this phone's key, and has settled all the same what it brought. `code` is device_retired
 * (its owner did it on another phone: the key is given up, and the next sync makes a new one) or device_blocked (there
 * is a proof that it signed the same money twice).
 */
export class PhoneBlocked extends Error {
  name = "PhoneBlocked";
  /** @param {string} code @param {string} sentence */
  constructor(code, sentence) {
    super(code);
    this.code = code;
    this.sentence = sentence;
  }
}

/** @typedef {{ brought: number, rejected: number, loaded_minor: number, loading: api.Loading | null }} Synced */

/**
 * Bring the outbox and take what came; `keep` is the offline balance to have afterwards. Safe to repeat.
 *
 * Throws Problem, Unreachable, NetworkChanged, KeyNotKept, Rejected (for what the operator did not sign), and
 * PhoneBlocked once everything is brought.
 * @param {{ phoneName: string, keep: Amount | null, progress: (done: number, of: number) => void }} given
 * @returns {Promise<Synced>}
 */
export async function sync({ phoneName, keep, progress }) {
  const deviceId = await prepare(phoneName);
  const entries = await waiting();
  const synced = { brought: 0, rejected: 0, loaded_minor: 0, loading: /** @type {api.Loading | null} */ (null) };
  // The last portion, empty if need be, asks for the offline balance once everything else has been counted.
  for (let at = 0; at === 0 || at < entries.length; at += PORTION) {
    const portion = entries.slice(at, at + PORTION);
    const isLast = at + PORTION >= entries.length;
    progress(at, entries.length);
    const answer = await api.sync({
      device_id: deviceId,
      bundles: portion.filter((item) => item.kind === "bundle").map((item) => toBase64Url(item.bytes)),
      refusals: portion.filter((item) => item.kind === "refusal").map((item) => toBase64Url(item.bytes)),
      ...(isLast ? { offline_balance_wanted: keep } : { more_follows: true }),
    });
    const settled = await settle(portion, answer);
    synced.brought += settled.brought;
    synced.rejected += settled.rejected;
    if (!isLast) continue;
    synced.loaded_minor = await learn(saidIn(answer));
    synced.loading = answer.loading;
    if (answer.money !== null) await keepMoney(answer.money);
    if (answer.code !== null) await takeBlock(answer.code, answer.detail);
  }
  progress(entries.length, entries.length);
  return synced;
}

/**
 * Return what the operator has not seen yet, without what the payer said was not taken.
 * @returns {Promise<OutboxEntry[]>}
 */
export async function waiting() {
  const entries = /** @type {OutboxEntry[]} */ (await all("outbox")).filter((entry) => entry.outcome === "");
  const notTaken = (await all("paid")).filter((row) => row.answer === "not_taken").map((row) => row.payment_id);
  return entries.filter((entry) => !notTaken.includes(entry.payment_id));
}

/**
 * Turn online money into offline money on this phone; return what came of it.
 *
 * Throws Problem, Unreachable, NetworkChanged, KeyNotKept, Rejected.
 * @param {Amount} amount @param {string} phoneName
 */
export async function load(amount, phoneName) {
  const deviceId = await prepare(phoneName);
  const { answer: loading, settled } = await api.load(deviceId, amount);
  const vouchers =
    loading.voucher === null ? [] : [{ voucher: loading.voucher, opening: loading.openings[0] ?? null }];
  await learn({ vouchers }, [settled]);
  await keepMoney(await api.money());
  return loading;
}

/** Store what the person's tier may do, for when the server is away. @param {api.Limits} limits */
export const keepLimits = (limits) => write([remember("limits", limits)]);

/** Store a money view for when the server is away. @param {api.MoneyView} money */
export function keepMoney(money) {
  return write([remember("money", money), remember("money_heard_at", unixNow())]);
}

/**
 * Learn who signs, tell the operator of retired keys, register this phone's key; return the device id. Safe to repeat.
 * @param {string} phoneName
 */
async function prepare(phoneName) {
  const issuer = await api.issuer();
  await pinNetwork(issuer);
  await learn({ issuer_keys: issuer.issuer_keys, signed_time: issuer.signed_time });
  const key = await exclusive(currentKey);
  for (const old of await myKeys()) {
    if (old.retired_at === null || old.told) continue;
    if (old.device_id) await api.retireDevice(old.device_id);
    await write([{ table: "keys", put: { ...old, told: true } }]);
  }
  return key.device_id ?? register(key, phoneName);
}

/** @param {import("./keys.js").Key} key @param {string} phoneName */
async function register(key, phoneName) {
  const challenge = await api.newChallenge();
  const parts = [...CHALLENGE_TAG, ...fromBase64Url(challenge.challenge), ...unhex(key.public_key)];
  const device = await api.registerDevice({
    challenge_id: challenge.challenge_id,
    public_key: toBase64Url(unhex(key.public_key)),
    signature: toBase64Url(await signerOf(key).sign(Uint8Array.from(parts))),
    name: phoneName,
    // What such a tab is paid is the account's as soon as it is brought, and it can lose nothing that it may spend.
    receive_only: isTabThatForgets(),
  });
  await exclusive(async () => {
    const row = await find("keys", key.public_key);
    await write([{ table: "keys", put: { ...row, device_id: device.device_id } }]);
  });
  await learn({ certificate: device.certificate, certificate_opening: device.certificate_opening });
  return device.device_id;
}

/**
 * Give this phone's key up if its owner blocked it elsewhere; a key that a proof blocked can still hand back.
 * @param {string} code @param {string} sentence @returns {Promise<never>}
 */
async function takeBlock(code, sentence) {
  if (code === "device_retired") {
    await exclusive(async () => {
      const key = await currentKey();
      await write([{ table: "keys", put: { ...key, retired_at: unixNow(), told: true } }]);
    });
  }
  throw new PhoneBlocked(code, sentence);
}

/** Note what became of each document brought. @param {OutboxEntry[]} portion @param {SyncAnswer} answer */
async function settle(portion, answer) {
  const changes = answer.results.flatMap((result) => {
    const entry = portion.filter((item) => item.kind === result.kind)[result.index];
    if (!entry) return [];
    const { outcome, detail } = result;
    const put = { ...entry, outcome, code: result.code ?? "", detail, seen_at: unixNow() };
    return [{ table: /** @type {const} */ ("outbox"), put }];
  });
  await write(changes);
  const rejected = changes.filter((change) => change.put.outcome === "rejected").length;
  return { brought: changes.length - rejected, rejected };
}

/** @param {SyncAnswer} answer @returns {Said} */
function saidIn(answer) {
  const open = answer.vouchers.flatMap(({ voucher, opening, state }) =>
    voucher !== null && state === "open" ? [{ voucher, opening }] : [],
  );
  const { issuer_keys, signed_time, revocations, certificate, certificate_opening } = answer;
  return { issuer_keys, signed_time, revocations, certificate, certificate_opening, vouchers: open };
}
