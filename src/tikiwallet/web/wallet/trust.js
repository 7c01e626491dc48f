// What this wallet believes of the operator, and how it learned it.
//
// The root key is believed at first contact and pinned: from then on everything that the operator says has to be
// signed by a key that the root signed, so a server that somebody slipped in between can stop a wallet and not fool it.
import { unixNow } from "../platform.js";
import { exclusive, fact, find, remember, write } from "../store.js";
import { EMPTY_BOOK, forgetClosed, load } from "../tikicash/book.js";
import { CERTIFICATE, ISSUER_KEY, REVOCATIONS, SIGNED_TIME, VOUCHER } from "../tikicash/cose.js";
import { hex } from "../tikicash/encoding.js";
import { Rejected } from "../tikicash/errors.js";
import { parse } from "../tikicash/messages.js";
import { checkIssued, checkIssuerKey } from "../tikicash/validity.js";
import { fromBase64Url } from "./base64url.js";
import { currentKey } from "./keys.js";

/** @import { OpeningSaid } from "../api.js" */
/** @import { Change } from "../store.js" */
/** @import { IssuerKey, Opening, Revocations } from "../tikicash/bodies.js" */
/** @import { Book } from "../tikicash/book.js" */
/** @import { Signed } from "../tikicash/messages.js" */

/**
 * What a wallet knows without a network. Keys are hex; `newest_signed_time` is in unix seconds.
 * @typedef {{ net: number, root_key: string, operator_key: string, issuer_keys: IssuerKey[],
 *   revocations: Revocations | null, newest_signed_time: number }} Trust
 */
/**
 * What the operator said in one answer, in base64url.
 * @typedef {{ issuer_keys?: string[], signed_time?: string | null, revocations?: string | null,
 *   certificate?: string | null, certificate_opening?: OpeningSaid | null,
 *   vouchers?: { voucher: string, opening: OpeningSaid | null }[] }} Said
 */

/** This wallet has never met its operator: without a network it can trust nobody yet. */
export class NeverOnline extends Error {
  name = "NeverOnline";
  code = "never_online";
}

/** Another operator answers at this address than the one that this wallet trusts. */
export class NetworkChanged extends Error {
  name = "NetworkChanged";
  code = "network_changed";
}

/** Return what this wallet believes. Throws NeverOnline. @returns {Promise<Trust>} */
export async function readTrust() {
  const trust = await fact("trust");
  if (trust === null) throw new NeverOnline();
  return trust;
}

/** Return the clock, never below the newest time that the operator signed. @param {Trust} trust */
export const nowFor = (trust) => Math.max(unixNow(), trust.newest_signed_time);

/** Return the book of units. @returns {Promise<Book>} */
export const readBook = async () => (await fact("book")) ?? EMPTY_BOOK;

/**
 * Believe a root key at first contact, and no other afterwards. Throws NetworkChanged.
 * @param {{ network_id: number, root_key: string, operator_key: string }} said
 */
export function pinNetwork(said) {
  return exclusive(async () => {
    const [rootKey, operatorKey] = [said.root_key, said.operator_key].map((text) => hex(fromBase64Url(text)));
    /** @type {Trust | null} */
    const known = await fact("trust");
    if (known && (known.net !== said.network_id || known.root_key !== rootKey)) throw new NetworkChanged();
    const start = { issuer_keys: [], revocations: null, newest_signed_time: 0 };
    const trust = { ...(known ?? start), net: said.network_id, root_key: rootKey, operator_key: operatorKey };
    await write([remember("trust", trust)]);
  });
}

/**
 * Store what the operator said, every signature verified back to the pinned root key, durably and at once; return how
 * many minor units of fresh vouchers came. A voucher is taken into the book once for ever, even if it is sent again.
 *
 * Throws NetworkChanged, and Rejected for what the operator did not sign.
 * `also` are changes of the caller that must happen together with it.
 * @param {Said} said @param {readonly Change[]} [also] @returns {Promise<number>}
 */
export function learn(said, also = []) {
  return exclusive(async () => {
    const trust = await readTrust();
    const { issuerKeys, documents } = await checkSaid(said, trust);
    const key = await currentKey();
    const known = trust.issuer_keys.map((item) => JSON.stringify(item));
    const fresh = issuerKeys.filter((item) => !known.includes(JSON.stringify(item)));
    const times = documents.filter((item) => "now" in item.body).map((item) => item.body.now);
    const newest = Math.max(trust.newest_signed_time, ...times);
    const list = documents.find((item) => item.type === REVOCATIONS)?.body ?? trust.revocations;
    const isNewer = trust.revocations === null || isNotOlder(list, trust.revocations);
    const learned = {
      ...trust,
      issuer_keys: [...trust.issuer_keys, ...fresh],
      revocations: isNewer ? list : trust.revocations,
      newest_signed_time: newest,
    };
    // By the operator's time only: a phone whose clock is a year ahead must not forget what it holds.
    const taken = await takeVouchers(said, documents, key.public_key, newest);
    const certificate = documents.find((item) => item.type === CERTIFICATE && item.body.key === key.public_key);
    const certified = {
      ...key,
      certificate: fromBase64Url(said.certificate ?? ""),
      certificate_opening: openingOf(said.certificate_opening ?? null),
    };
    await write([
      remember("trust", learned),
      ...taken.changes,
      ...also,
      ...(certificate ? [{ table: /** @type {const} */ ("keys"), put: certified }] : []),
    ]);
    return taken.fresh_minor;
  });
}

/**
 * By epoch and then by date: an older list can neither unblock a phone nor make this one's list older.
 * @param {Revocations} list @param {Revocations} known
 */
function isNotOlder(list, known) {
  return list.epoch > known.epoch || (list.epoch === known.epoch && list.now >= known.now);
}

/** @param {Said} said @param {Trust} trust */
async function checkSaid(said, trust) {
  const keys = (said.issuer_keys ?? []).map((text) => document(text, ISSUER_KEY));
  for (const key of keys) await checkIssuerKey(key, { rootKey: trust.root_key });
  const issuerKeys = /** @type {IssuerKey[]} */ (keys.map((item) => item.body));
  /** @type {[string | null | undefined, number][]} */
  const wanted = [
    [said.signed_time, SIGNED_TIME],
    [said.revocations, REVOCATIONS],
    [said.certificate, CERTIFICATE],
    ...(said.vouchers ?? []).map((item) => /** @type {[string, number]} */ ([item.voucher, VOUCHER])),
  ];
  const documents = wanted.flatMap(([text, type]) => (text ? [document(text, type)] : []));
  const known = [...issuerKeys, ...trust.issuer_keys];
  for (const item of documents) await checkIssued(item, { issuerKeys: known });
  if ([...keys, ...documents].some((item) => item.body.net !== trust.net)) throw new NetworkChanged();
  return { issuerKeys, documents };
}

/** @param {Said} said @param {Signed<any>[]} documents @param {string} publicKey @param {number} now */
async function takeVouchers(said, documents, publicKey, now) {
  let book = forgetClosed(await readBook(), { now });
  let freshMinor = 0;
  const changes = [];
  const vouchers = documents.filter((item) => item.type === VOUCHER);
  for (const [index, item] of vouchers.entries()) {
    if (item.body.key !== publicKey || (await find("documents", item.id))) continue;
    const { voucher, opening } = (said.vouchers ?? [])[index];
    const row = { id: item.id, bytes: fromBase64Url(voucher), opening: openingOf(opening) };
    changes.push({ table: /** @type {const} */ ("documents"), put: row });
    book = load(book, item);
    freshMinor += item.body.count;
  }
  return { changes: [...changes, remember("book", book)], fresh_minor: freshMinor };
}

/** @param {string} text @param {number} type @returns {Signed<any>} */
function document(text, type) {
  const found = parse(fromBase64Url(text));
  if (found.type !== type || !("body" in found)) throw new Rejected("unknown_document");
  return found;
}

/** @param {OpeningSaid | null} said @returns {Opening | null} */
function openingOf(said) {
  return said && { opens: said.opens, salt: hex(fromBase64Url(said.salt)), text: said.text };
}
