// What happened and what is underway, as rows of a list: this phone's own records, then what the server told.
import { formatDay, formatTime, t } from "./i18n.js";
import { asked, money, paid, received, refused } from "./state.js";
import { computed } from "./vendor/ui.js";

/**
 * @typedef {{ key: string, at: number, icon: string, title: string, detail: string, minor: number, tone?: string,
 *   to?: [string, string] }} Activity
 */

/** @param {string} name */
const someone = (name) => name || t("somebody");

/** What this phone did, newest first. @type {import("@preact/signals").ReadonlySignal<Activity[]>} */
export const activities = computed(() => {
  const out = paid.value.map((row) => ({
    key: row.payment_id,
    at: row.made_at,
    icon: row.is_hand_back ? "swap" : "pay",
    title: row.is_hand_back ? t("activity.unload") : t("activity.paid", { name: someone(row.payee_name) }),
    detail: `${formatTime(row.made_at)}${row.is_hand_back ? "" : ` · ${t(`answer.${row.answer || "waiting"}`)}`}`,
    minor: -row.amount_minor,
    tone: row.answer === "refused" ? "bad" : row.answer === "received" ? "" : "warn",
    to: /** @type {[string, string] | undefined} */ (row.is_hand_back ? undefined : ["paid", row.payment_id]),
  }));
  const taken = received.value.map((row) => ({
    key: row.payment_id,
    at: row.accepted_at,
    icon: "receive",
    title: t("activity.received", { name: someone(row.payer_name) }),
    detail: formatTime(row.accepted_at),
    minor: row.amount_minor,
    to: /** @type {[string, string]} */ (["received", row.payment_id]),
  }));
  const not = refused.value.map((row) => ({
    key: row.payment_id,
    at: row.refused_at,
    icon: "cross",
    title: t("activity.refused"),
    detail: formatTime(row.refused_at),
    minor: 0,
    tone: "bad",
    to: /** @type {[string, string]} */ (["refused", row.payment_id]),
  }));
  return [...out, ...taken, ...not].sort((one, other) => other.at - one.at);
});

/**
 * What waits for something: requests that nobody answered, payments without a receipt, money that comes on a date.
 * @type {import("@preact/signals").ReadonlySignal<Activity[]>}
 */
export const underway = computed(() => {
  const requests = asked.value.map((row) => ({
    key: row.nonce,
    at: row.asked_at,
    icon: "receive",
    title: t("underway.asked"),
    detail: formatTime(row.asked_at),
    minor: row.amount_minor,
    to: /** @type {[string, string]} */ (["asked", row.nonce]),
  }));
  const payments = paid.value
    .filter((row) => row.answer === "")
    .map((row) => ({
      key: row.payment_id,
      at: row.made_at,
      icon: "pay",
      title: t("activity.paid", { name: someone(row.payee_name) }),
      detail: t("underway.no_receipt", { date: formatDay(row.claim_by) }),
      minor: -row.amount_minor,
      tone: "warn",
      to: /** @type {[string, string]} */ (["paid", row.payment_id]),
    }));
  const coming = (money.value?.lines ?? [])
    .filter((line) => line.line === "claim" || line.state === "coming_home")
    .map((line, index) => ({
      key: `${line.voucher_id} ${index}`,
      at: 0,
      icon: "clock",
      title: line.counterparty ? t("activity.received", { name: line.counterparty }) : t("underway.home"),
      detail: line.claim_by ? t("underway.by", { date: formatDay(Date.parse(line.claim_by) / 1000) }) : line.title,
      minor: line.amount.amount_minor,
    }));
  return [...requests, ...payments, ...coming];
});
