// Pay: scan what the payee shows, look at whom and how much, then show the payment and scan the receipt.
import { formatDay, formatTime, t } from "../i18n.js";
import { vibrate } from "../platform.js";
import { go, replace } from "../router.js";
import { currency, offlineMinor, paid, refresh, scannedRequest } from "../state.js";
import { Rejected } from "../tikicash/errors.js";
import { isBundle, isRequest, parseCode } from "../tikicash/messages.js";
import { Button, Failure, Field, Icon, Money, Notice, Screen, html, useEffect, useSignal } from "../ui.js";
import { QrCode } from "../ui/qr-code.js";
import { Scanner } from "../ui/scanner.js";
import { syncNow } from "../wallet/autosync.js";
import { findPaid, pay, readRequest, sayNotTaken, takeAnswer } from "../wallet/paying.js";

const MEMO_MAX = 60; // characters; even the widest script stays within the 128 bytes of the standard with most texts

export function Pay() {
  const take = async (/** @type {string} */ text) => {
    const message = parseCode(text);
    if (!isBundle(message) || !message.documents.some(isRequest)) throw new Rejected("not_a_request");
    const asked = await readRequest(message, currency.value.number);
    const before = await findPaid(asked);
    if (before) return void replace("paid", before.payment_id);
    scannedRequest.value = asked;
    replace("confirm");
  };
  return html`<${Screen} title=${t("pay")}>
    <${Scanner} onCode=${take} hint=${t("pay.hint")} />
  <//>`;
}

/** Whom and how much, before anything is signed. */
export function Confirm() {
  const memo = useSignal("");
  const failure = useSignal(/** @type {unknown} */ (null));
  const asked = scannedRequest.value;
  useEffect(() => void (asked || replace("pay")), [asked]);
  if (!asked) return null;
  const { body } = asked.request;
  const isEnough = offlineMinor.value >= body.amount;
  const left = Math.max(0, offlineMinor.value - body.amount);
  const send = async () => {
    try {
      const row = await pay(asked, memo.value.trim());
      scannedRequest.value = null;
      await refresh();
      replace("paid", row.payment_id);
    } catch (error) {
      failure.value = error;
    }
  };
  return html`<${Screen} title=${t("confirm")} back="pay" actions=${html`
      <${Button} kind="main" name="confirm" onPress=${send} disabled=${!isEnough}>${t("pay_now")}<//>`}>
    <p class="total"><${Money} minor=${body.amount} /></p>
    <section class="card">
      <dl class="facts">
        <dt>${t("to")}</dt><dd data-name="payee">${asked.verified_name ?? body.name ?? t("somebody")}</dd>
        <dt>${t("fee")}</dt><dd><${Money} minor=${0} /></dd>
        <dt>${t("arrives")}</dt><dd><${Money} minor=${body.amount} /></dd>
        <dt>${t("left_offline")}</dt><dd><${Money} minor=${left} hideable /></dd>
      </dl>
    </section>
    ${asked.verified_name !== null
      ? html`<${Notice} kind="good" icon="shield">${t("name_verified")}<//>`
      : html`<${Notice} kind="warn">${t("name_not_verified")}<//>`}
    <${Field} label=${t("memo")} signal=${memo} maxlength=${MEMO_MAX} autocomplete="off" />
    ${!isEnough && html`<${Notice} kind="bad">${t("code.not_enough_offline_money")}<//>`}
    <${Failure} error=${failure.value} />
  <//>`;
}

/** The payment code, until the payee has answered. @param {{ id: string }} props */
export function Paid({ id }) {
  const row = paid.value.find((item) => item.payment_id === id);
  if (!row) return html`<${Screen} title=${t("payment")}><${Notice} kind="warn">${t("not_here")}<//><//>`;
  const name = row.payee_name || t("somebody");
  if (row.answer === "received" || row.answer === "refused") {
    const isGood = row.answer === "received";
    return html`<${Screen} title=${t("payment")} actions=${html`<a class="button main" href="#/home">${t("done")}</a>`}>
      <section class=${`verdict ${isGood ? "final" : "refused"}`} data-verdict=${row.answer}>
        <${Icon} name=${isGood ? "check" : "cross"} />
        <h2>${t(`paid.${row.answer}`)}</h2>
        <p class="verdict-amount"><${Money} minor=${row.amount_minor} /></p>
        <p>${t("paid.to", { name })}</p>
        <p class="verdict-why">${t(`paid.${row.answer}.why`, { date: formatDay(row.claim_by) })}</p>
      </section>
      <p class="lead">${formatTime(row.answered_at ?? row.made_at)}</p>
    <//>`;
  }
  const notTaken = async () => {
    await sayNotTaken(id);
    await refresh();
    replace("home");
  };
  return html`<${Screen} title=${t("payment")} actions=${html`
      <${Button} kind="main" name="scan" onPress=${() => go("scan-receipt", id)}>${t("scan_receipt")}<//>
      ${row.answer === "" && html`<${Button} onPress=${notTaken}>${t("not_taken")}<//>`}`}>
    <p class="total"><${Money} minor=${row.amount_minor} /></p>
    <p class="lead">${t("paid.show", { name })}</p>
    <${QrCode} text=${row.code} label=${t("payment_code")} />
    <p class="lead">${t("paid.safe_to_show")}</p>
  <//>`;
}

/** The camera of the payer, looking for the receipt. @param {{ id: string }} props */
export function ScanReceipt({ id }) {
  const take = async (/** @type {string} */ text) => {
    const row = await takeAnswer(parseCode(text));
    await refresh();
    vibrate(row.answer === "received" ? "yes" : "no");
    replace("paid", row.payment_id);
    void syncNow();
  };
  return html`<${Screen} title=${t("scan_receipt")} back=${`paid/${id}`}>
    <${Scanner} onCode=${take} hint=${t("scan_receipt.hint")} />
  <//>`;
}
