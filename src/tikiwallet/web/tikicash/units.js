// Twin of tikicash/units.py: arithmetic on ranges of numbered units.
//
// Money here is a set of numbers, and every rule asks the same few questions about ranges of them. They are answered
// once, on ranges, so that no cost depends on the amount. A range is [first, count] with a count of at least one.

/** @typedef {readonly [number, number]} Units */

/** Tell whether every unit of the inner range is in the outer one. @param {Units} outer @param {Units} inner */
export function contains(outer, inner) {
  return outer[0] <= inner[0] && inner[0] + inner[1] <= outer[0] + outer[1];
}

/**
 * Return the units that are in both ranges, or null.
 * @param {Units} one @param {Units} other @returns {Units | null}
 */
export function overlap(one, other) {
  const first = Math.max(one[0], other[0]);
  const end = Math.min(one[0] + one[1], other[0] + other[1]);
  return first < end ? [first, end - first] : null;
}

/** Tell whether no unit is in two of the ranges. @param {readonly Units[]} ranges */
export function disjoint(ranges) {
  let end = 0;
  for (const [first, count] of ascending(ranges)) {
    if (first < end) return false;
    end = first + count;
  }
  return true;
}

/**
 * Return what is left of a range without the units of another: nothing, one range or two.
 * @param {Units} whole @param {Units} part @returns {Units[]}
 */
export function subtract(whole, part) {
  const common = overlap(whole, part);
  if (common === null) return [whole];
  const commonEnd = common[0] + common[1];
  /** @type {Units[]} */
  const sides = [
    [whole[0], common[0] - whole[0]],
    [commonEnd, whole[0] + whole[1] - commonEnd],
  ];
  return sides.filter((side) => side[1] > 0);
}

/** Return the same units as the fewest ranges, ascending. @param {readonly Units[]} ranges @returns {Units[]} */
export function merge(ranges) {
  /** @type {[number, number][]} */
  const merged = [];
  for (const [first, count] of ascending(ranges)) {
    const last = merged.at(-1);
    if (last && first <= last[0] + last[1]) last[1] = Math.max(last[1], first + count - last[0]);
    else merged.push([first, count]);
  }
  return merged;
}

/**
 * Return how many units the ranges hold together; a unit in two of them counts once.
 * @param {readonly Units[]} ranges
 */
export function total(ranges) {
  return merge(ranges).reduce((sum, [, count]) => sum + count, 0);
}

/** @param {readonly Units[]} ranges */
function ascending(ranges) {
  return [...ranges].sort((one, other) => one[0] - other[0] || one[1] - other[1]);
}
