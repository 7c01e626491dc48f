// Where is my money? The steps of one payment, each with the time when it happened or the date when it is due.
import { secondsOf } from "./activity.js";
import { formatDay, formatMoney, sentenceOfCode, t } from "./i18n.js";
import {
  brought, currency, money, movements, operations, orders, paid, person, received, requests, shown,
} from "./state.js";
import { fromBase64Url } from "./wallet/base64url.js";
import { hex } from "./tikicash/encoding.js";

/** @import { MoneyLine } from "./api.js" */
/** @import { Paid } from "./wallet/made-payments.js" */
/** @import { Received } from "./wallet/receiving.js" */

/**
 * A step; `state` is "done", "due" or "failed"; `at` in unix seconds, 0 if the time is not known; `note` says more.
 * @typedef {{ key: string, state: "done" | "due" | "failed", at: number, note: string }} Step
 */
/**
 * A payment as its own screen and its receipt show it. `minor` is below zero for what went out; `status` is a text.
 * `code` is the screen that still has a code to show, if there is one; `mayGoBack` tells that it can be given back.
 * @typedef {{ id: string, title: string, minor: number, payer: string, payee: string, memo: string, at: number,
 *   status: string, isOffline: boolean, steps: Step[], code: [string, string] | null, other: string,
 *   mayGoBack: boolean }} Story
 */

/** Return the story of a payment, or null if this phone does not know it. @param {string} id @returns {Story | null} */
export function storyOf(id) {
  const sent = paid.value.find((row) => row.payment_id === id);
  if (sent) return sentOffline(sent);
  const taken = received.value.find((row) => row.payment_id === id);
  return taken ? receivedOffline(taken) : online(id);
}

const me = () => person.value?.username ?? "";

/**
 * @param {string} key @param {number | null | undefined} at @param {string} [note]
 * @returns {Step}
 */
const done = (key, at, note = "") => ({ key, state: "done", at: at ?? 0, note });

/** @param {string} key @param {number} at @param {string} [note] @returns {Step} */
const due = (key, at, note = "") => ({ key, state: "due", at, note });

/** @param {string} key @param {number | null} at @param {string} [note] @returns {Step} */
const failed = (key, at, note = "") => ({ key, state: "failed", at: at ?? 0, note });

/** Whether the operator has seen an offline payment, from what this phone brought. @param {string} id */
function seenStep(id) {
  const entry = brought.value.find((item) => item.payment_id === id && item.kind === "bundle");
  if (!entry || entry.outcome === "") return due("seen", 0, t("step.seen.due"));
  if (entry.outcome === "rejected") return failed("seen", entry.seen_at ?? 0, sentenceOfCode(entry.code, entry.detail));
  return done("seen", entry.seen_at);
}

/** What the operator's view says of a payment. @param {string} id @returns {MoneyLine[]} */
function linesOf(id) {
  const isIt = (/** @type {MoneyLine} */ line) =>
    line.payment_id !== null && hex(fromBase64Url(line.payment_id)).startsWith(id);
  return (money.value?.lines ?? []).filter(isIt);
}

/** What an operator's line says about when money is mine, in the person's language. @param {MoneyLine} line */
function expectation({ line, state, amount, final, provisional, claim_by }) {
  const date = claim_by ? formatDay(secondsOf(claim_by)) : "";
  const said = (/** @type {string} */ key, /** @type {number} */ minor) =>
    minor > 0 ? t(`line.${key}`, { amount: formatMoney(minor, currency.value), date }) : "";
  if (line === "advance") return said("advance", amount.amount_minor);
  return [
    said("final", final.amount_minor),
    said(state === "shared" ? "shared" : "provisional", provisional.amount_minor),
  ].filter(Boolean).join(" ");
}

/** @param {string} id @param {number} claimBy @returns {Step} */
const closedStep = (id, claimBy) => due("closed", claimBy, linesOf(id).map(expectation).join(" "));

/** @param {Paid} row @returns {Story} */
function sentOffline(row) {
  const name = row.payee_name || t("somebody");
  const answers = {
    received: done("receipt", row.answered_at),
    refused: failed("refused", row.answered_at),
    not_taken: failed("not_taken", row.answered_at),
  };
  const answer = answers[/** @type {keyof typeof answers} */ (row.answer)] ?? due("receipt", 0, t("step.receipt.due"));
  const isGone = row.answer === "refused" || row.answer === "not_taken";
  const end = isGone
    ? due("home", row.claim_by, t("paid.refused.why", { date: formatDay(row.claim_by) }))
    : closedStep(row.payment_id, row.claim_by);
  return {
    id: row.payment_id,
    title: t(row.refund_of ? "activity.gave_back" : "activity.paid", { name }),
    minor: -row.amount_minor,
    payer: me(),
    payee: name,
    memo: row.memo,
    at: row.made_at,
    status: t(`answer.${row.answer || "waiting"}`),
    isOffline: true,
    // What was not taken is not brought to the operator.
    steps: [
      done("signed", row.made_at),
      answer,
      ...(row.answer === "not_taken" ? [] : [seenStep(row.payment_id)]),
      end,
    ],
    code: ["paid", row.payment_id],
    other: row.is_verified ? row.payee_name : "",
    mayGoBack: false,
  };
}

/** @param {Received} row @returns {Story} */
function receivedOffline(row) {
  const isAtRisk = row.at_risk_minor > 0;
  const safety = isAtRisk ? "risk" : row.protected_minor > 0 ? "protected" : "final";
  return {
    id: row.payment_id,
    title: t(row.refund_of ? "activity.refund" : "activity.received", { name: row.payer_name || t("somebody") }),
    minor: row.amount_minor,
    payer: row.payer_name || t("somebody"),
    payee: me(),
    memo: row.memo,
    at: row.accepted_at,
    status: t(`verdict.${safety}`),
    isOffline: true,
    steps: [
      done("accepted", row.accepted_at, t(`verdict.${safety}`)),
      seenStep(row.payment_id),
      closedStep(row.payment_id, row.claim_by),
    ],
    code: ["received", row.payment_id],
    other: row.payer_name,
    mayGoBack: !row.refund_of,
  };
}

/** @param {string} id of a transfer @returns {Story | null} */
function online(id) {
  const item = movements.value.find((row) => row.transfer_id === id);
  if (!item) return null;
  const isIn = item.direction === "in";
  const order = orders.value.find((row) => row.transfer_id === id);
  const code = shown.value.find((row) => row.transfer_id === id);
  const request = requests.value.find((row) => row.receipt?.transfer_id === id);
  const isPerson = typeof item.counterparty !== "string";
  const name = isPerson ? /** @type {any} */ (item.counterparty).username : t(`party.${item.counterparty}`);
  const asked = request ? secondsOf(request.created_at) : (code?.shown_at ?? 0);
  const isScanned = order?.kind === "shown";
  const told = order?.payee_told_at ? done("told", order.payee_told_at) : due("told", 0, t("step.told.due"));
  const at = secondsOf(item.at);
  return {
    id,
    title: isPerson ? t(isIn ? "activity.received" : "activity.paid", { name }) : t(`kind.${item.kind}`),
    minor: isIn ? item.amount.amount_minor : -item.amount.amount_minor,
    payer: isIn ? name : me(),
    payee: isIn ? me() : name,
    memo: item.memo,
    at,
    status: t("verdict.final"),
    isOffline: false,
    steps: [
      ...(asked ? [done("asked", asked)] : []),
      ...(order ? [done("ordered", order.made_at), done("sent", order.sent_at)] : []),
      ...operationSteps(item.kind, at),
      done("booked", at),
      ...(isScanned ? [told] : []),
      done("final", at),
    ],
    code: null,
    other: isPerson ? name : "",
    mayGoBack: false,
  };
}

/** @param {string} kind @param {number} bookedAt @returns {Step[]} */
function operationSteps(kind, bookedAt) {
  // The books name no operation; the one during which the money was booked is it.
  const found = operations.value.find(
    ({ kind: its, created_at, changed_at }) =>
      its === kind && secondsOf(created_at) <= bookedAt + 1 && secondsOf(changed_at) >= bookedAt - 1,
  );
  return found ? [done("ordered", secondsOf(found.created_at))] : [];
}
