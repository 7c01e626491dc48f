// Words, money and dates in the person's language.
//
// Texts come from locales/*.json by key; every language has every key (a test compares them), so one file is enough
// and no English stands between. Money and dates are Intl's work, fed with whole minor units as text, so that no amount
// ever becomes a fraction; a text that counts has a key for each form of its language.
import { readFile } from "./api.js";
import { wantedLanguages } from "./platform.js";
import { SENTENCES } from "./tikicash/errors.js";
import { batch, computed, signal } from "./vendor/ui.js";
import { numbers, plurals, writeTime } from "./writers.js";

/** The languages, each by the name that its speakers give it: who reads no other finds it. */
export const LANGUAGES = Object.freeze({
  en: "English",
  id: "Bahasa Indonesia",
  sw: "Kiswahili",
  fr: "Français",
  ar: "العربية",
  hi: "हिन्दी",
});
const RIGHT_TO_LEFT = ["ar"];
// The zeros of the digits with which the languages are written beside 0 to 9: Arabic, Persian and Urdu, Devanagari.
const ZEROS = [0x0660, 0x06f0, 0x0966];

export const language = signal("en");
/** The language as this phone's owner writes numbers and dates in it: "ar-EG" has other digits than "ar-MA". */
const region = signal("en");
export const isRightToLeft = computed(() => RIGHT_TO_LEFT.includes(language.value));
/** @type {import("@preact/signals").Signal<Record<string, string>>} */
const texts = signal({});
// The English sentences of the protocol's codes are in the standard itself.
const standard = Object.fromEntries(Object.entries(SENTENCES).map(([code, sentence]) => [`code.${code}`, sentence]));

/** @param {string} tag "pt-BR" is Portuguese as in Brazil */
const languageOf = (tag) => tag.toLowerCase().split(/[-_]/)[0];

/** The first language of this phone that the wallet speaks; English if there is none. */
export const firstLanguage = () => wantedLanguages().map(languageOf).find((name) => name in LANGUAGES) ?? "en";

/** Load a language and turn the page its way. Throws Unreachable. @param {string} wanted */
export async function speakLanguage(wanted) {
  const chosen = wanted in LANGUAGES ? wanted : "en";
  const read = await readFile(`./locales/${chosen}.json`);
  batch(() => {
    texts.value = chosen === "en" ? { ...standard, ...read } : read;
    language.value = chosen;
    region.value = wantedLanguages().find((tag) => languageOf(tag) === chosen) ?? chosen;
  });
  document.documentElement.lang = chosen;
  document.documentElement.dir = isRightToLeft.value ? "rtl" : "ltr";
}

/**
 * Return a text with its {gaps} filled; a number is written as the language writes it.
 * @param {string} key @param {Record<string, string | number>} [gaps]
 */
export function t(key, gaps = {}) {
  return (texts.value[key] ?? key).replace(/\{(\w+)\}/g, (gap, name) => {
    const value = gaps[name] ?? gap;
    const written = typeof value === "number" ? formatCount(value) : value;
    // Isolated, so that a name or an amount keeps its own direction and turns no word around it.
    return isRightToLeft.value ? `\u2068${written}\u2069` : written;
  });
}

/**
 * Return a text for a number of things: `key.one`, `key.other` ..., as the language counts.
 * @param {string} key @param {number} count @param {Record<string, string | number>} [gaps]
 */
export function tCount(key, count, gaps = {}) {
  const named = `${key}.${plurals(language.value).select(count)}`;
  return t(hasText(named) ? named : `${key}.other`, { ...gaps, count });
}

/** Return a whole number as people read it. @param {number} count */
export const formatCount = (count) => numbers(region.value).format(count);

/** Tell whether there is a text for a key. @param {string} key */
export const hasText = (key) => key in texts.value;

/**
 * Return the sentence of a code. A newer server may say one that this wallet does not know: what it `said` about it is
 * English, so in another language the person is told what helps.
 * @param {string} code @param {string} [said]
 */
export function sentenceOfCode(code, said = "") {
  if (hasText(`code.${code}`)) return t(`code.${code}`);
  return language.value === "en" && said ? said : t("code_unknown_here", { code });
}

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
 * Return an amount without its currency as people write it: 1250 with 2 digits is "12.50" or "12,50".
 * @param {number} amountMinor @param {number} digits
 */
export function formatDecimal(amountMinor, digits) {
  const format = numbers(region.value, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return format.format(/** @type {any} */ (toDecimal(amountMinor, digits)));
}

/** Return a text with the digits of other scripts as 0 to 9. @param {string} typed */
export function plainDigits(typed) {
  return typed.replace(/[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f]/g, (digit) => {
    const code = digit.charCodeAt(0);
    return String(code - Math.max(...ZEROS.filter((zero) => zero <= code)));
  });
}

/**
 * Return the minor units of what a person typed, or null if it is no amount: "12", "12.5" or "12,50", with the digits
 * and the thousands of the language ("1.250,50" in Indonesian, "١٬٢٥٠٫٥٠" in Arabic).
 * @param {string} typed @param {number} digits
 */
export function toMinor(typed, digits) {
  const found = /^(\d{1,12})(?:[.,\u060c\u066b](\d*))?$/.exec(withoutThousands(plainDigits(typed.trim())));
  if (!found || (found[2] ?? "").length > digits) return null;
  const minor = Number(found[1] + (found[2] ?? "").padEnd(digits, "0"));
  return Number.isSafeInteger(minor) && minor > 0 ? minor : null;
}

/**
 * Return a number without what divides its thousands: spaces, apostrophes, and what this language writes there. The
 * last group has three digits, so "12.50" is never taken for one.
 * @param {string} text
 */
function withoutThousands(text) {
  const parts = numbers(region.value).formatToParts(10_000_000);
  const own = parts.find((part) => part.type === "group")?.value ?? "";
  const divider = `[\\s'’\u066c${own}]`;
  const [whole] = new RegExp(`^\\d{1,3}(?:${divider}\\d{2,3})*${divider}\\d{3}(?!\\d)`).exec(text) ?? [""];
  return whole.replace(/\D/g, "") + text.slice(whole.length);
}

/**
 * Return an amount as people read it. A different sign is shown only where it is asked for.
 * @param {number} amountMinor @param {{ code: string, digits: number }} currency @param {boolean} [signed]
 */
export function formatMoney(amountMinor, { code, digits }, signed = false) {
  const format = numbers(region.value, {
    style: "currency",
    currency: code,
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: signed ? "exceptZero" : "auto",
  });
  return format.format(/** @type {any} */ (toDecimal(amountMinor, digits)));
}

/** Return a number of bytes as people read it, rounded up: "12 kB", "1.5 MB". @param {number} bytes */
export function formatBytes(bytes) {
  const [unit, size] = bytes >= 1e9 ? ["gigabyte", 1e9] : bytes >= 1e6 ? ["megabyte", 1e6] : ["kilobyte", 1e3];
  const digits = size === 1e3 ? 0 : 1;
  const shown = Math.ceil((bytes / Number(size)) * 10 ** digits) / 10 ** digits;
  const format = { style: "unit", unit: String(unit), maximumFractionDigits: digits };
  return numbers(region.value, /** @type {Intl.NumberFormatOptions} */ (format)).format(shown);
}

/** Return a day and time as people read them. @param {number} unixSeconds */
export function formatTime(unixSeconds) {
  const parts = /** @type {const} */ ({ day: "numeric", month: "short", hour: "numeric", minute: "2-digit" });
  return writeTime(region.value, parts, unixSeconds);
}

/** Return a day and time with the year, for what is kept. @param {number} unixSeconds */
export function formatMoment(unixSeconds) {
  const parts = /** @type {const} */ ({ dateStyle: "long", timeStyle: "short" });
  return writeTime(region.value, parts, unixSeconds);
}

/** Return a day as people read it. @param {number} unixSeconds */
export function formatDay(unixSeconds) {
  return writeTime(region.value, { dateStyle: "long" }, unixSeconds);
}

/** Return a day without its year, as people read it. @param {number} unixSeconds */
export function formatShortDay(unixSeconds) {
  return writeTime(region.value, { day: "numeric", month: "short" }, unixSeconds);
}
