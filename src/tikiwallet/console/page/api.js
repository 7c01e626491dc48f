// The one place that asks the server. The header is what makes the operator's cookie count.
import { signOutShown } from "./signed-out.js";

/** @typedef {{ amount_minor: number, currency: string }} Amount */

/** The server said no, in a sentence for the operator. */
export class Refusal extends Error {
  /** @param {string} code @param {string} detail */
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

/**
 * @param {string} method @param {string} path @param {object} [body] @param {string} [key] an Idempotency-Key
 * @returns {Promise<any>}
 */
export async function ask(method, path, body, key) {
  /** @type {Record<string, string>} */
  const headers = { "tikiwallet-client": "operator" };
  if (body) headers["content-type"] = "application/json";
  if (key) headers["idempotency-key"] = key;
  let answer;
  try {
    answer = await fetch(`/v1/operator${path}`, { method, headers, body: body ? JSON.stringify(body) : undefined });
  } catch {
    throw new Refusal("no_network", "The server can't be reached; try again. What you sent may have arrived.");
  }
  if (answer.status === 204) return null;
  const content = await answer.json();
  if (answer.ok) return content;
  if (answer.status === 401) signOutShown();
  throw new Refusal(content.code, content.field ? `${content.detail} (${content.field})` : content.detail);
}

/** @type {{ code: string, digits: number }[]} */
let currencies = [];

/** The wallet's currencies, asked once. */
export async function offered() {
  if (!currencies.length) currencies = (await (await fetch("/wallet.json")).json()).currencies;
  return currencies;
}

/** Minor units as people write them, without floating point. @param {number} minor @param {string} currency */
export function decimal(minor, currency) {
  const digits = currencies.find((each) => each.code === currency)?.digits ?? 2;
  const text = String(Math.abs(minor)).padStart(digits + 1, "0");
  const whole = digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
  return `${minor < 0 ? "-" : ""}${whole} ${currency}`;
}

/** What was typed ("12.50") as minor units; throws a Refusal. @param {string} text @param {string} currency */
export function minorOf(text, currency) {
  const digits = currencies.find((each) => each.code === currency)?.digits ?? 2;
  const match = /^(\d{1,12})(?:\.(\d+))?$/.exec(text.trim());
  if (!match || (match[2] ?? "").length > digits) {
    throw new Refusal("amount_invalid", `Write the amount in ${currency} as 12.50, with a point.`);
  }
  return Number(match[1] + (match[2] ?? "").padEnd(digits, "0"));
}
