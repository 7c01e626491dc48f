// What writes numbers and times as a language does. Making one takes longer than all that it writes on a screen, so
// each is made once.

/** @type {Map<string, any>} */
const made = new Map();

/** @template W @param {string} name @param {() => W} make @returns {W} */
function once(name, make) {
  if (!made.has(name)) made.set(name, make());
  return made.get(name);
}

/** Return what tells which plural a language uses. @param {string} language */
export const plurals = (language) => once(`plurals ${language}`, () => new Intl.PluralRules(language));

/** Return what writes numbers in a region. @param {string} region @param {Intl.NumberFormatOptions} [options] */
export const numbers = (region, options = {}) =>
  once(`${region} ${JSON.stringify(options)}`, () => new Intl.NumberFormat(region, options));

/**
 * Write a time in a region. What writes times keeps the time zone in which it was made, and a phone travels.
 * @param {string} region @param {Intl.DateTimeFormatOptions} options @param {number} unixSeconds
 */
export function writeTime(region, options, unixSeconds) {
  const date = new Date(unixSeconds * 1000);
  const name = `${region} ${date.getTimezoneOffset()} ${JSON.stringify(options)}`;
  return once(name, () => new Intl.DateTimeFormat(region, options)).format(date);
}
