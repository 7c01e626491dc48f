// What happened and what is underway, as rows of a list: this phone's own records, and what the server told.
import { formatDay, formatShortDay, formatTime, hasText, t } from "./i18n.js";
import {
  asked, money, movements, operations, orders, paid, person, received, refused, requests, shown,
} from "./state.js";
import { computed } from "./vendor/ui.js";

/** @import { HistoryItem, MoneyRequest } from "./api.js" */
/** @import { Order } from "./wallet/orders.js" */

/**
 * `kind` and `way` are what the history filters by; `isTurnover` says that money came from or went to somebody else;
 * `at` in unix seconds; `minor` is below zero for what went out.
 * @typedef {{ key: string, at: number, icon: string, title: string, detail: string, minor: number, tone?: string,
 *   kind?: string, way?: "in" | "out" | "", isTurnover?: boolean, memo?: string, to?: [string, string] }} Activity
 */

/** @param {string} name */
const someone = (name) => name || t("somebody");

/** @param {string} text an instant in RFC 3339 */
export const secondsOf = (text) => Date.parse(text) / 1000;

/** @param {(string | undefined)[]} parts */
const dotted = (...parts) => parts.filter(Boolean).join(" · ");

/** @returns {Activity[]} */
function paidOffline() {
  return paid.value.map((row) => ({
    key: row.payment_id,
    at: row.made_at,
    icon: row.is_hand_back ? "swap" : "pay",
    title: row.is_hand_back
      ? t("activity.unload")
      : t(row.refund_of ? "activity.gave_back" : "activity.paid", { name: someone(row.payee_name) }),
    detail: dotted(formatTime(row.made_at), row.is_hand_back ? "" : t(`answer.${row.answer || "waiting"}`)),
    minor: -row.amount_minor,
    tone: row.answer === "refused" ? "bad" : row.answer === "received" ? "" : "warn",
    kind: row.is_hand_back ? "load" : "offline",
    way: "out",
    isTurnover: !row.is_hand_back && (row.answer === "" || row.answer === "received"),
    memo: row.memo,
    to: row.is_hand_back ? undefined : row.answer === "" ? ["paid", row.payment_id] : ["payment", row.payment_id],
  }));
}

/** @returns {Activity[]} */
function receivedOffline() {
  const taken = received.value.map((row) => ({
    key: row.payment_id,
    at: row.accepted_at,
    icon: "receive",
    title: t(row.refund_of ? "activity.refund" : "activity.received", { name: someone(row.payer_name) }),
    detail: formatTime(row.accepted_at),
    minor: row.amount_minor,
    kind: "offline",
    way: /** @type {const} */ ("in"),
    isTurnover: true,
    memo: row.memo,
    to: /** @type {[string, string]} */ (["payment", row.payment_id]),
  }));
  const not = refused.value.map((row) => ({
    key: row.payment_id,
    at: row.refused_at,
    icon: "cross",
    title: t("activity.refused"),
    detail: formatTime(row.refused_at),
    minor: 0,
    tone: "bad",
    kind: "offline",
    way: /** @type {const} */ (""),
    to: /** @type {[string, string]} */ (["refused", row.payment_id]),
  }));
  return [...taken, ...not];
}

/** @param {HistoryItem} item @returns {Activity} */
function movementRow({ transfer_id, kind, direction, amount, counterparty, memo, at }) {
  const name = typeof counterparty === "string" ? "" : counterparty.username;
  const key = name ? (direction === "in" ? "activity.received" : "activity.paid") : `kind.${kind}`;
  return {
    key: transfer_id,
    at: secondsOf(at),
    icon: direction === "in" ? "receive" : "pay",
    title: hasText(key) ? t(key, { name }) : kind,
    detail: dotted(formatTime(secondsOf(at)), memo),
    minor: direction === "in" ? amount.amount_minor : -amount.amount_minor,
    kind,
    way: direction,
    // Money that moves between this person's own places is neither earned nor spent.
    isTurnover: ["payment", "top_up", "withdrawal"].includes(kind),
    memo,
    to: ["payment", transfer_id],
  };
}

/** @param {Order} row @returns {Activity} */
function orderRow(row) {
  return {
    key: row.order_id,
    at: row.made_at,
    icon: row.state === "refused" || row.state === "undone" ? "cross" : "pay",
    title: t("activity.paid", { name: row.payee.username }),
    detail: dotted(formatTime(row.made_at), t(`order.${row.state}`)),
    minor: -row.amount.amount_minor,
    tone: { paid: "", refused: "bad" }[row.state] ?? "warn",
    kind: "payment",
    way: "out",
    isTurnover: row.state === "paid",
    memo: row.memo,
    to: ["order", row.order_id],
  };
}

/** What happened online that the server has not listed to this phone yet. @returns {Activity[]} */
function notListed() {
  const listed = new Set(movements.value.map((item) => item.transfer_id));
  const mine = orders.value.filter((row) => !["held", "sending", "unknown"].includes(row.state));
  const codes = shown.value.filter((row) => row.paid_at !== null && !listed.has(row.transfer_id));
  return [
    ...mine.filter((row) => !listed.has(row.transfer_id)).map(orderRow),
    ...codes.map((row) => ({
      key: row.reference,
      at: row.paid_at ?? 0,
      icon: "receive",
      title: t("activity.received", { name: someone(row.payer?.username ?? "") }),
      detail: dotted(formatTime(row.paid_at ?? 0), row.memo),
      minor: row.amount_minor,
      kind: "payment",
      way: /** @type {const} */ ("in"),
      isTurnover: true,
      memo: row.memo,
      to: /** @type {[string, string]} */ (["paid-online", row.reference]),
    })),
  ];
}

/** Everything that happened, as far as this phone knows, newest first. */
export const activities = computed(() =>
  [...paidOffline(), ...receivedOffline(), ...movements.value.map(movementRow), ...notListed()].sort(
    (one, other) => other.at - one.at,
  ),
);

/** Open requests that wait for my answer. */
export const openToMe = computed(() =>
  requests.value.filter((item) => item.state === "open" && item.payer.person_id === person.value?.person_id),
);

/** @param {MoneyRequest} item @returns {Activity} */
export function requestRow(item) {
  const isToMe = item.payer.person_id === person.value?.person_id;
  const name = isToMe ? item.payee.username : item.payer.username;
  const isOpen = item.state === "open";
  return {
    key: item.request_id,
    at: secondsOf(item.created_at),
    icon: isToMe ? "pay" : "receive",
    title: t(isToMe ? "request.from" : "request.to", { name }),
    detail: dotted(
      item.memo,
      isOpen ? t("request.until", { date: formatShortDay(secondsOf(item.expires_at)) }) : t(`request.${item.state}`),
    ),
    minor: isToMe ? -item.amount.amount_minor : item.amount.amount_minor,
    tone: isOpen && isToMe ? "warn" : "",
    to: ["request", item.request_id],
  };
}

/**
 * Money that is on its way back from phones, with its date.
 * @type {import("@preact/signals").ReadonlySignal<Activity[]>}
 */
export const comingHome = computed(() =>
  (money.value?.lines ?? [])
    .filter((line) => line.line === "advance" || ["coming_home", "handed_back"].includes(line.state))
    .map((line, index) => ({
      key: `${line.voucher_id} ${index}`,
      at: 0,
      icon: line.line === "advance" ? "check" : "clock",
      title: t(line.line === "advance" ? "underway.released" : "underway.home"),
      detail: line.claim_by ? t("underway.by", { date: formatDay(Date.parse(line.claim_by) / 1000) }) : "",
      minor: line.amount.amount_minor,
    })),
);

/**
 * What waits for something: payments that are held or without an answer, requests, payments without a receipt, money
 * that comes on a date.
 * @type {import("@preact/signals").ReadonlySignal<Activity[]>}
 */
export const underway = computed(() => {
  const going = orders.value.filter((row) => ["held", "sending", "unknown"].includes(row.state)).map(orderRow);
  const codes = asked.value.map((row) => ({
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
      title: t(row.refund_of ? "activity.gave_back" : "activity.paid", { name: someone(row.payee_name) }),
      detail: t("underway.no_receipt", { date: formatDay(row.claim_by) }),
      minor: -row.amount_minor,
      tone: "warn",
      to: /** @type {[string, string]} */ (["paid", row.payment_id]),
    }));
  const bank = operations.value
    .filter((item) => !["settled", "declined", "returned", "refused"].includes(item.state))
    .map((item) => ({
      key: item.operation_id,
      at: secondsOf(item.created_at),
      icon: "bank",
      title: t(`kind.${item.kind}`),
      detail: t(`operation.${item.state}`),
      minor: item.kind === "top_up" ? item.amount.amount_minor : -item.amount.amount_minor,
      to: /** @type {[string, string]} */ (["operation", item.operation_id]),
    }));
  const coming = (money.value?.lines ?? [])
    .filter((line) => line.line === "claim" || line.state === "coming_home")
    .map((line, index) => ({
      key: `${line.voucher_id} ${index}`,
      at: 0,
      icon: "clock",
      title: line.counterparty ? t("activity.received", { name: line.counterparty }) : t("underway.home"),
      detail: line.claim_by ? t("underway.by", { date: formatDay(secondsOf(line.claim_by)) }) : "",
      minor: line.amount.amount_minor,
    }));
  return [...going, ...openToMe.value.map(requestRow), ...codes, ...payments, ...bank, ...coming];
});
