// Twin of tikicash/book.py: the book of units of a phone. What it holds, what it handed on, and by which payment.
//
// The book is what keeps an honest phone from spending twice and from accepting a unit twice, so it is kept until the
// last date on which a unit can still be claimed. It is immutable: each step returns a new book, and the caller stores
// it durably before showing a code. Rules: protocol/spec/03-payments.md, "my book".
import { LIMITS, rangeOf, traces } from "./chain.js";
import { Rejected } from "./errors.js";
import { keyId, sizeOf } from "./messages.js";
import * as units from "./units.js";

/** @import { Payment, Voucher } from "./bodies.js" */
/** @import { Chain, KeyIds, Trace } from "./chain.js" */
/** @import { Signed } from "./messages.js" */

/**
 * What a voucher says about its units.
 * @typedef {Readonly<{ voucher_id: string, cover: number, payment_max: number, claim_by: number,
 *   audience_id: string | null }>} Terms
 */
/**
 * A document that has to travel with a holding when it is handed on; `size` is its bytes inside a bundle.
 * @typedef {Readonly<{ id: string, size: number, is_certificate: boolean }>} Ancestor
 */
/**
 * Units that one of my keys owns and has not signed away. `parent_id` is the voucher or payment that a piece of it
 * will name; `depth` is 0 for my own voucher; `spend_by` is the earliest date of the chain.
 * @typedef {Readonly<{ owner_id: string, parent_id: string, first: number, count: number, depth: number,
 *   spend_by: number, terms: Terms, ancestors: readonly Ancestor[] }>} Holding
 */
/**
 * Units that one of my keys signed away, and the last payment that did it; `depth` is of the holding they came from.
 * @typedef {Readonly<{ owner_id: string, payment_id: string, first: number, count: number, depth: number,
 *   to_operator: boolean, terms: Terms }>} HandedOn
 */
/**
 * A payment that was accepted, so that it is recognised when it is shown again.
 * @typedef {Readonly<{ payment_id: string, claim_by: number }>} Accepted
 */
/**
 * What one of my keys can claim of a voucher at its close: units received and still held, or handed back.
 * @typedef {Readonly<{ terms: Terms, count: number }>} Claim
 */
/**
 * Everything a phone knows about the units it ever had.
 * @typedef {Readonly<{ holdings: readonly Holding[], handed_on: readonly HandedOn[],
 *   accepted: readonly Accepted[] }>} Book
 */

/** @type {Book} */
export const EMPTY_BOOK = Object.freeze({ holdings: [], handed_on: [], accepted: [] });

/** Return what a voucher says about its units. @param {Signed<Voucher>} voucher @returns {Terms} */
export function termsOf({ id, body }) {
  return {
    voucher_id: id,
    cover: body.cover,
    payment_max: body.payment_max,
    claim_by: body.claim_by,
    audience_id: body.audience_key === null ? null : keyId(body.audience_key),
  };
}

/**
 * Return the book with a fresh voucher of my own; a voucher that it knows already changes nothing.
 * @param {Book} book @param {Signed<Voucher>} voucher @returns {Book}
 */
export function load(book, voucher) {
  if ([...book.holdings, ...book.handed_on].some((entry) => entry.terms.voucher_id === voucher.id)) return book;
  /** @type {Holding} */
  const holding = {
    owner_id: keyId(voucher.body.key),
    parent_id: voucher.short_id,
    first: voucher.body.first,
    count: voucher.body.count,
    depth: 0,
    spend_by: voucher.body.spend_by,
    terms: termsOf(voucher),
    ancestors: [{ id: voucher.id, size: sizeOf(voucher), is_certificate: false }],
  };
  return { ...book, holdings: [...book.holdings, holding] };
}

/**
 * Check units about to be received against every unit that I ever had.
 *
 * Throws Rejected: already_held (I hold it now), spent_twice (I handed it on, and the chain does not contain my last
 * payment of it). After either, keep both chains: together they may be a proof.
 * @param {Book} book @param {readonly Trace[]} ways
 */
export function checkNew(book, ways) {
  for (const way of ways) {
    if (book.holdings.some((holding) => meets(holding, way))) {
      throw new Rejected("already_held", way.payments.at(-1)?.short_id);
    }
  }
  for (const way of ways) {
    const contained = new Set(way.payments.map((payment) => payment.short_id));
    const twice = book.handed_on.find((entry) => meets(entry, way) && !contained.has(entry.payment_id));
    if (twice) throw new Rejected("spent_twice", twice.payment_id);
  }
}

/**
 * Return what an accepted payment brings its payee, piece by piece.
 * @param {Chain} chain @param {{ spend_by: number }} given @returns {Holding[]}
 */
export function newHoldings(chain, { spend_by }) {
  const ancestors = [
    ...[...chain.sources.values()].map((item) => ({ id: item.id, size: sizeOf(item), is_certificate: false })),
    ...chain.certificates.map((item) => ({ id: item.id, size: sizeOf(item), is_certificate: true })),
  ];
  return traces(chain.payment, chain.sources).map((way) => ({
    owner_id: chain.payment.body.payee_id,
    parent_id: chain.payment.short_id,
    first: way.units[0],
    count: way.units[1],
    depth: chain.depth,
    spend_by,
    terms: termsOf(way.voucher),
    ancestors,
  }));
}

/**
 * Return the book with the holdings of one accepted payment; units that came back are no longer handed on.
 * @param {Book} book @param {readonly Holding[]} holdings @returns {Book}
 */
export function receive(book, holdings) {
  let handedOn = book.handed_on;
  for (const holding of holdings) handedOn = handedOn.flatMap((entry) => without(entry, holding));
  const claimBy = Math.max(...holdings.map((holding) => holding.terms.claim_by));
  const accepted = { payment_id: holdings[0].parent_id, claim_by: claimBy };
  return {
    holdings: [...book.holdings, ...holdings],
    handed_on: handedOn,
    accepted: [...book.accepted, accepted],
  };
}

/**
 * Return the book after signing a payment of mine. Store it before the code is shown.
 *
 * Throws Rejected("not_enough_offline_money") for a piece that is not held: it must not be shown to anybody.
 * @param {Book} book @param {Signed<Payment>} payment @param {{ operator: KeyIds }} given @returns {Book}
 */
export function handOn(book, payment, { operator }) {
  let holdings = book.holdings;
  const handedOn = [...book.handed_on];
  for (const piece of payment.body.pieces) {
    const source = holdings.find((item) => holds(item, piece.parent_id, rangeOf(piece)));
    if (!source) throw new Rejected("not_enough_offline_money", piece.parent_id);
    handedOn.push({
      owner_id: source.owner_id,
      payment_id: payment.short_id,
      first: piece.first,
      count: piece.count,
      depth: source.depth,
      to_operator: operator.has(payment.body.payee_id),
      terms: source.terms,
    });
    const left = units.subtract(rangeOf(source), rangeOf(piece)).map(([first, count]) => ({ ...source, first, count }));
    holdings = [...holdings.filter((item) => item !== source), ...left];
  }
  return { ...book, holdings, handed_on: handedOn };
}

/**
 * Return the holdings that a key may pay a payee with, at a time in unix seconds.
 *
 * Leaves out what is too old, locked to another, at the last depth, or received by a key that may not hand on.
 * @param {Book} book
 * @param {{ owner_id: string, payee_id: string, now: number, may_hand_on: boolean }} given @returns {Holding[]}
 */
export function spendable(book, { owner_id, payee_id, now, may_hand_on }) {
  return book.holdings.filter(
    (item) =>
      item.owner_id === owner_id &&
      item.spend_by >= now &&
      (item.terms.audience_id === null || item.terms.audience_id === payee_id) &&
      item.depth < LIMITS.depth_max &&
      (item.depth === 0 || may_hand_on),
  );
}

/**
 * Return what a key can claim: units received and still held, or handed back; never units of its own vouchers.
 * @param {Book} book @param {{ owner_id: string }} given @returns {Claim[]}
 */
export function claims(book, { owner_id }) {
  return [...book.holdings, ...book.handed_on.filter((item) => item.to_operator)]
    .filter((entry) => entry.owner_id === owner_id && entry.depth > 0)
    .map((entry) => ({ terms: entry.terms, count: entry.count }));
}

/**
 * Return the book without what can no longer be claimed, at a time in unix seconds.
 * @param {Book} book @param {{ now: number }} given @returns {Book}
 */
export function forgetClosed(book, { now }) {
  return {
    holdings: book.holdings.filter((item) => item.terms.claim_by >= now),
    handed_on: book.handed_on.filter((item) => item.terms.claim_by >= now),
    accepted: book.accepted.filter((item) => item.claim_by >= now),
  };
}

/** @param {Holding | HandedOn} entry @param {Trace} way */
function meets(entry, way) {
  return entry.terms.voucher_id === way.voucher.id && units.overlap(rangeOf(entry), way.units) !== null;
}

/** @param {Holding} holding @param {string} parentId @param {units.Units} wanted */
function holds(holding, parentId, wanted) {
  return holding.parent_id === parentId && units.contains(rangeOf(holding), wanted);
}

/** @param {HandedOn} entry @param {Holding} holding @returns {HandedOn[]} */
function without(entry, holding) {
  if (entry.terms.voucher_id !== holding.terms.voucher_id) return [entry];
  return units.subtract(rangeOf(entry), rangeOf(holding)).map(([first, count]) => ({ ...entry, first, count }));
}
