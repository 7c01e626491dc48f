// Twin of tikicash/safety.py: how safe a payment is, as the payee sees it before he hands over the goods.
//
// Software cannot stop a determined cheat from spending twice, so the screen says how much of this payment the
// operator makes good if that happened, until when, and what is at the payee's own risk. The promise is the same sum
// that the settlement pays. Rule: protocol/spec/03-payments.md, "how safe".

/** @import { Certificate } from "./bodies.js" */
/** @import { Claim } from "./book.js" */
/** @import { Chain } from "./chain.js" */

/**
 * A payment's amount in three parts, in minor units, and the two dates that the payee has to know (unix seconds).
 * `final`: locked to his key; `protected`: the operator pays it even if it was spent twice. Handed on only until
 * `spend_by`; a copy must have reached the operator by `claim_by`.
 * @typedef {Readonly<{ final: number, protected: number, at_risk: number, spend_by: number,
 *   claim_by: number }>} HowSafe
 */

export const STALE_AFTER_SECONDS = 72 * 3600;

/**
 * Return [spend_by, claim_by]: the earliest over all vouchers and certificates of a chain, in unix seconds.
 * @param {Chain} chain @returns {[number, number]}
 */
export function earliestDates(chain) {
  const spend = [
    ...chain.vouchers.map((item) => item.body.spend_by),
    ...chain.certificates.map((item) => item.body.valid_until),
  ];
  return [Math.min(...spend), Math.min(...chain.vouchers.map((item) => item.body.claim_by))];
}

/**
 * Return how much the operator promises on some claims together, in minor units.
 *
 * min(cover budget, sum over vouchers of min(cover, claimed)), over what was not closed when the certificate was
 * issued. Locked units need no promise.
 * @param {readonly Claim[]} claims @param {Certificate | null} certificate
 */
export function promised(claims, certificate) {
  if (certificate === null) return 0;
  /** @type {Map<string, { claimed: number, cover: number }>} */
  const byVoucher = new Map();
  for (const { terms, count } of claims) {
    if (terms.audience_id === null && terms.claim_by > certificate.issued_at) {
      const claimed = (byVoucher.get(terms.voucher_id)?.claimed ?? 0) + count;
      byVoucher.set(terms.voucher_id, { claimed, cover: terms.cover });
    }
  }
  const covered = [...byVoucher.values()].reduce((sum, item) => sum + Math.min(item.cover, item.claimed), 0);
  return Math.min(certificate.cover_budget, covered);
}

/**
 * Return how safe new claims are to a key that already has others; times in unix seconds.
 *
 * `certificate` is the key's own. Nothing is protected if it has none or one out of date, or if the newest time that
 * the operator signed is more than 72 hours old: the payer may have been blocked since.
 * @param {{ before: readonly Claim[], new_: readonly Claim[], certificate: Certificate | null, spend_by: number,
 *   claim_by: number, now: number, newest_signed_time: number }} given @returns {HowSafe}
 */
export function howSafe({ before, new_, certificate, spend_by, claim_by, now, newest_signed_time }) {
  const sum = (/** @type {readonly Claim[]} */ claims) => claims.reduce((soFar, claim) => soFar + claim.count, 0);
  const final = sum(new_.filter((claim) => claim.terms.audience_id !== null));
  const total = sum(new_);
  const isStale = now - newest_signed_time > STALE_AFTER_SECONDS;
  const isCovered = !isStale && certificate !== null && certificate.valid_until >= now;
  const covered = isCovered ? promised([...before, ...new_], certificate) - promised(before, certificate) : 0;
  if (covered < 0 || covered > total - final) throw new RangeError(`protected ${covered} of ${total - final}`);
  return { final, protected: covered, at_risk: total - final - covered, spend_by, claim_by };
}
