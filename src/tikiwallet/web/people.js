// The people of this wallet: whom I paid or asked, and who paid or asked me, newest first. Kept on the phone.
import { findPerson } from "./api.js";
import { secondsOf } from "./activity.js";
import { plainDigits } from "./i18n.js";
import { movements, orders, paid, person, received, requests, shown } from "./state.js";
import { computed } from "./vendor/ui.js";

/** @import { PublicPerson } from "./api.js" */

/**
 * Somebody I dealt with; `phone_masked` is "" where only an offline code named them; `met_at` in unix seconds.
 * @typedef {{ username: string, phone_masked: string, met_at: number }} Acquaintance
 */

/** @type {import("@preact/signals").ReadonlySignal<Acquaintance[]>} */
export const people = computed(() => {
  /** @type {Map<string, Acquaintance>} */
  const known = new Map();
  const meet = (/** @type {PublicPerson} */ { username, phone_masked }, /** @type {number} */ at) => {
    const before = known.get(username);
    known.set(username, {
      username,
      phone_masked: phone_masked || before?.phone_masked || "",
      met_at: Math.max(at, before?.met_at ?? 0),
    });
  };
  const named = (/** @type {string} */ username) => ({ person_id: "", username, phone_masked: "" });
  for (const item of movements.value) {
    if (typeof item.counterparty !== "string") meet(item.counterparty, secondsOf(item.at));
  }
  for (const row of orders.value) if (row.state === "paid") meet(row.payee, row.made_at);
  for (const row of shown.value) if (row.payer) meet(row.payer, row.paid_at ?? 0);
  for (const item of requests.value) {
    meet(item.payer.person_id === person.value?.person_id ? item.payee : item.payer, secondsOf(item.created_at));
  }
  // Only names that the operator verified: what a phone merely says of itself is nobody to pay.
  for (const row of paid.value) if (row.is_verified && row.payee_name) meet(named(row.payee_name), row.made_at);
  for (const row of received.value) if (row.payer_name) meet(named(row.payer_name), row.accepted_at);
  known.delete(person.value?.username ?? "");
  return [...known.values()].sort((one, other) => other.met_at - one.met_at);
});

/** Return those whom a text may mean. @param {Acquaintance[]} among @param {string} typed */
export function matching(among, typed) {
  const wanted = typed.trim().toLowerCase();
  return among.filter((item) => item.username.toLowerCase().includes(wanted) || item.phone_masked.includes(wanted));
}

/** Tell whether a text can be a phone number or a username as a whole. @param {string} typed */
export const canBeFound = (typed) => /^\s*(\+[\d\s()-]{6,}|[A-Za-z]\w{2,29})\s*$/.test(plainDigits(typed));

/** Find somebody at the operator by phone number or username. Throws Problem, Unreachable. @param {string} typed */
export function lookUp(typed) {
  const wanted = plainDigits(typed.trim());
  return wanted.startsWith("+") ? findPerson("phone", wanted.replace(/[\s()-]/g, "")) : findPerson("username", wanted);
}
