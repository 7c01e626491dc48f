// Twin of tikicash/coins.py: which units to pay with.
//
// Money that is locked to the payee goes first: it can go nowhere else, and it is final to him. Then, the fewer
// documents travel, the smaller the code and the more often the money can be handed on. Units are taken from a random
// position, so that their numbers tell later hands nothing about how much was spent before; the randomness is an
// argument. Rule: protocol/spec/03-payments.md, "choosing pieces".
import { LIMITS, inOrder } from "./chain.js";
import { Rejected } from "./errors.js";
import { PIECES_MAX } from "./layout.js";

/** @import { Certificate, Piece } from "./bodies.js" */
/** @import { Holding } from "./book.js" */

// What a bundle needs besides its ancestors and its pieces, at most: the frame, the rest of the payment with a memo,
// the payer's certificate with a name, and the openings of name and memo.
export const PIECE_BYTES = 36;
export const PAYMENT_BYTES = 150;
export const CERTIFICATE_BYTES = 173;
export const OPENINGS_BYTES = 240;

/**
 * Return pieces of some holdings (all of one owner, all spendable) that sum to an amount in minor units.
 *
 * Locked holdings go first, whole where they are too little. What remains to be paid takes one piece if one holding is
 * enough: of the shortest chain, then the smallest holding. Otherwise the fewest pieces of one parent, otherwise of
 * several. If that breaks a limit of a bundle, locked holdings are taken like any other. `start` is a random number of
 * the caller, 0 or more: it places the one piece that is smaller than its holding.
 * Throws Rejected: not_enough_offline_money, payment_above_limit, too_many_pieces.
 * @param {readonly Holding[]} holdings @param {number} amount @param {{ start: number }} given @returns {Piece[]}
 */
export function choosePieces(holdings, amount, { start }) {
  if (!Number.isSafeInteger(amount) || amount <= 0) throw new RangeError(`amount ${amount}`);
  if (!Number.isSafeInteger(start) || start < 0) throw new RangeError(`start ${start}`);
  let usable = [...holdings].sort(byRank);
  if (sum(usable) < amount) throw new Rejected("not_enough_offline_money");
  usable = usable.filter((item) => item.terms.payment_max >= amount);
  if (sum(usable) < amount) throw new Rejected("payment_above_limit");
  const chosen = lockedFirst(usable, amount) ?? choose([], usable, amount);
  if (chosen === null) throw new Rejected("too_many_pieces");
  return cut(chosen, amount, start);
}

/**
 * Return pieces that give an amount of a sale back: of what one owner still holds of it, and of nothing else.
 *
 * `sale_id` is the sale's 16 bytes, `payee_id` the key id of whoever paid it, `certificate` the owner's own, `now` in
 * unix seconds, `start` as in choosePieces. The last depth is no limit: the payer can claim what he cannot spend.
 * Throws Rejected: not_enough_offline_money, certificate_missing, may_not_hand_on, certificate_expired,
 * too_many_hands, spend_by_passed, locked_to_another, too_many_pieces.
 * @param {readonly Holding[]} holdings @param {number} amount
 * @param {{ sale_id: string, payee_id: string, certificate: Certificate | null, now: number, start: number }} given
 * @returns {Piece[]}
 */
export function refundPieces(holdings, amount, { sale_id, payee_id, certificate, now, start }) {
  const held = holdings.filter((item) => item.parent_id === sale_id);
  if (sum(held) < amount) throw new Rejected("not_enough_offline_money");
  if (certificate === null) throw new Rejected("certificate_missing");
  if (!certificate.may_hand_on) throw new Rejected("may_not_hand_on");
  if (certificate.valid_until < now) throw new Rejected("certificate_expired");
  if (held.some((item) => item.depth > LIMITS.depth_max)) throw new Rejected("too_many_hands");
  if (held.some((item) => item.spend_by < now)) throw new Rejected("spend_by_passed");
  const free = held.filter((item) => item.terms.audience_id === null || item.terms.audience_id === payee_id);
  if (sum(free) < amount) throw new Rejected("locked_to_another");
  return choosePieces(free, amount, { start });
}

/** @param {readonly Holding[]} holdings */
const sum = (holdings) => holdings.reduce((soFar, item) => soFar + item.count, 0);

/** @param {Holding} one @param {Holding} other */
function byRank(one, other) {
  return (
    one.ancestors.length - other.ancestors.length ||
    one.count - other.count ||
    one.first - other.first ||
    inOrder(one.parent_id, other.parent_id)
  );
}

/** @param {readonly Holding[]} holdings */
const largestFirst = (holdings) => [...holdings].sort((one, other) => other.count - one.count);

/**
 * Return a choice of locked holdings, or all of them and a choice of the others for the rest; null if neither.
 * @param {readonly Holding[]} usable @param {number} amount @returns {Holding[] | null}
 */
function lockedFirst(usable, amount) {
  const locked = usable.filter((item) => item.terms.audience_id !== null);
  const lockedAmount = sum(locked);
  if (lockedAmount >= amount) return choose([], locked, amount);
  const free = usable.filter((item) => item.terms.audience_id === null);
  return fits(locked) ? choose(locked, free, amount - lockedAmount) : null;
}

/**
 * Return `given` and the holdings of `usable` that have an amount beside it, or null beyond the limits.
 * @param {readonly Holding[]} given @param {readonly Holding[]} usable @param {number} amount
 */
function choose(given, usable, amount) {
  return one(given, usable, amount) ?? oneParent(given, usable, amount) ?? several(given, usable, amount);
}

/**
 * @param {readonly Holding[]} given @param {readonly Holding[]} usable @param {number} amount
 * @returns {Holding[] | null}
 */
function one(given, usable, amount) {
  const found = usable.find((item) => item.count >= amount && fits([...given, item]));
  return found ? [...given, found] : null;
}

/**
 * Return the fewest holdings of one parent that suffice, or null.
 * @param {readonly Holding[]} given @param {readonly Holding[]} usable @param {number} amount
 * @returns {Holding[] | null}
 */
function oneParent(given, usable, amount) {
  /** @type {Holding[] | null} */
  let best = null;
  for (const parentId of new Set(usable.map((item) => item.parent_id))) {
    const found = fill(given, largestFirst(usable.filter((item) => item.parent_id === parentId)), amount);
    if (found !== null && (best === null || found.length < best.length)) best = found;
  }
  return best;
}

/**
 * Return holdings of several parents that suffice: the largest first, or else those of the shortest chains.
 * @param {readonly Holding[]} given @param {readonly Holding[]} usable @param {number} amount
 */
function several(given, usable, amount) {
  return fill(given, largestFirst(usable), amount) ?? fill(given, usable, amount);
}

/**
 * @param {readonly Holding[]} given @param {readonly Holding[]} ordered @param {number} amount
 * @returns {Holding[] | null}
 */
function fill(given, ordered, amount) {
  const chosen = [...given];
  let missing = amount;
  for (const item of ordered) {
    if (missing > 0 && fits([...chosen, item])) {
      chosen.push(item);
      missing -= item.count;
    }
  }
  return missing <= 0 ? chosen : null;
}

/** Tell whether a payment of these holdings stays within the limits of a bundle. @param {readonly Holding[]} chosen */
function fits(chosen) {
  const ancestors = [
    ...new Map(chosen.flatMap((holding) => holding.ancestors).map((item) => [item.id, item])).values(),
  ];
  const certified = chosen.some((holding) => holding.depth > 0) ? 1 : 0;
  const documents = ancestors.filter((item) => !item.is_certificate).length + 1;
  const carried = ancestors.reduce((soFar, item) => soFar + item.size, 0);
  const size = carried + PAYMENT_BYTES + PIECE_BYTES * chosen.length + OPENINGS_BYTES + CERTIFICATE_BYTES * certified;
  return (
    chosen.length <= PIECES_MAX &&
    documents <= LIMITS.documents_max &&
    ancestors.length + 1 + certified <= LIMITS.signatures_max &&
    size <= LIMITS.bytes_max
  );
}

/**
 * Return the holdings as pieces, the last one only as large as needed and placed by the random number.
 * @param {readonly Holding[]} chosen @param {number} amount @param {number} start @returns {Piece[]}
 */
function cut(chosen, amount, start) {
  const whole = chosen.slice(0, -1);
  const last = chosen[chosen.length - 1];
  const rest = amount - sum(whole);
  const offset = start % (last.count - rest + 1);
  const pieces = whole.map(({ parent_id, first, count }) => ({ parent_id, first, count }));
  return [...pieces, { parent_id: last.parent_id, first: last.first + offset, count: rest }];
}
