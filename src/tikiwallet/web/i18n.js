// Words, money and dates in the person's language.
//
// Texts come from locales/*.json by key; a key that a language lacks is shown in English. Money and dates are Intl's
// work, fed with whole minor units as text, so that no amount ever becomes a fraction.
import { readFile } from "./api.js";
import { SENTENCES } from "./tikicash/errors.js";
import { signal } from "./vendor/ui.js";

export const LANGUAGES = Object.freeze({ en: "English" });
const RIGHT_TO_LEFT = ["ar", "he", "fa", "ur"];

export const language = signal("en");
/** @type {import("@preact/signals").Signal<Record<string, string>>} */
const texts = signal({});
// The English sentences of the protocol's codes are in the standard itself.
const standard = Object.fromEntries(Object.entries(SENTENCES).map(([code, sentence]) => [`code.${code}`, sentence]));
/** @type {Record<string, string>} */
let english = {};

/** Load a language and turn the page its way. Throws Unreachable. @param {string} wanted */
export async function speakLanguage(wanted) {
  const chosen = wanted in LANGUAGES ? wanted : "en";
  if (Object.keys(english).length === 0) english = { ...standard, ...(await readFile("./locales/en.json")) };
  texts.value = chosen === "en" ? english : await readFile(`./locales/${chosen}.json`);
  language.value = chosen;
  document.documentElement.lang = chosen;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(chosen) ? "rtl" : "ltr";
}

/** Return a text with its {gaps} filled. @param {string} key @param {Record<string, string | number>} [gaps] */
export function t(key, gaps = {}) {
  const text = texts.value[key] ?? english[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (gap, name) => String(gaps[name] ?? gap));
}

/**
 * Return a text for a number of things: `key.one`, `key.other` ..., as the language counts.
 * @param {string} key @param {number} count @param {Record<string, string | number>} [gaps]
 */
export function tCount(key, count, gaps = {}) {
  const named = `${key}.${new Intl.PluralRules(language.value).select(count)}`;
  return t(hasText(named) ? named : `${key}.other`, { ...gaps, count: formatCount(count) });
}

/** Return a whole number as people read it. @param {number} count */
export const formatCount = (count) => new Intl.NumberFormat(language.value).format(count);

/** Tell whether there is a text for a key. @param {string} key */
export const hasText = (key) => key in texts.value || key in english;

/**
 * Return minor units as a decimal text: 1250 with 2 digits is "12.50".
 * @param {number} amountMinor @param {number} digits
 */
export function toDecimal(amountMinor, digits) {
  const text = String(Math.abs(amountMinor)).padStart(digits + 1, "0");
  const at = text.length - digits;
  return (amountMinor < 0 ? "-" : "") + text.slice(0, at) + (digits ? `.${text.slice(at)}` : "");
}

/**
 * Return the minor units of what a person typed ("12", "12.5" or "12,50"), or null if it is no amount.
 * @param {string} typed @param {number} digits
 */
export function toMinor(typed, digits) {
  const found = /^(\d{1,12})(?:[.,](\d*))?$/.exec(typed.trim());
  if (!found || (found[2] ?? "").length > digits) return null;
  const minor = Number(found[1] + (found[2] ?? "").padEnd(digits, "0"));
  return Number.isSafeInteger(minor) && minor > 0 ? minor : null;
}

/**
 * Return an amount as people read it. A different sign is shown only where it is asked for.
 * @param {number} amountMinor @param {{ code: string, digits: number }} currency @param {boolean} [signed]
 */
export function formatMoney(amountMinor, { code, digits }, signed = false) {
  const format = new Intl.NumberFormat(language.value, {
    style: "currency",
    currency: code,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: signed ? "exceptZero" : "auto",
  });
  return format.format(/** @type {any} */ (toDecimal(amountMinor, digits)));
}

/** Return a day and time as people read them. @param {number} unixSeconds */
export function formatTime(unixSeconds) {
  const parts = /** @type {const} */ ({ day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
  return new Intl.DateTimeFormat(language.value, parts).format(new Date(unixSeconds * 1000));
}

/** Return a day and time with the year, for what is kept. @param {number} unixSeconds */
export function formatMoment(unixSeconds) {
  const parts = /** @type {const} */ ({ dateStyle: "long", timeStyle: "short" });
  return new Intl.DateTimeFormat(language.value, parts).format(new Date(unixSeconds * 1000));
}

/** Return a day as people read it. @param {number} unixSeconds */
export function formatDay(unixSeconds) {
  return new Intl.DateTimeFormat(language.value, { dateStyle: "long" }).format(new Date(unixSeconds * 1000));
}

/** Return a day without its year, as people read it. @param {number} unixSeconds */
export function formatShortDay(unixSeconds) {
  return new Intl.DateTimeFormat(language.value, { day: "numeric", month: "short" }).format(unixSeconds * 1000);
}
