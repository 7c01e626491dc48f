// A payment by code: what the payer shows until the payee has answered, and the camera for the answer.
import { formatDay, formatTime, t } from "../i18n.js";
import { vibrate } from "../platform.js";
import { go, replace } from "../router.js";
import { paid, refresh } from "../state.js";
import { parseCode } from "../tikicash/messages.js";
import { Button, Icon, Money, Notice, Screen, html } from "../ui.js";
import { QrCode } from "../ui/qr-code.js";
import { Scanner } from "../ui/scanner.js";
import { syncNow } from "../wallet/autosync.js";
import { sayNotTaken, takeAnswer } from "../wallet/paying.js";

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
        <p>${t(row.refund_of ? "paid.back_to" : "paid.to", { name })}</p>
        <p class="verdict-why">${t(`paid.${row.answer}.why`, { date: formatDay(row.claim_by) })}</p>
      </section>
      <p class="lead">${formatTime(row.answered_at ?? row.made_at)}</p>
      <a class="button" href=${`#/payment/${id}`}>${t("where")}</a>
    <//>`;
  }
  const notTaken = async () => {
    await sayNotTaken(id);
    await refresh();
    replace("home");
  };
  return html`<${Screen} title=${t("payment")} actions=${html`
      <${Button} kind="main" name="scan" onPress=${() => go("scan-receipt", id)}>${t("scan_receipt")}<//>
      ${row.answer === "" && html`<${Button} onPress=${notTaken}>${t("not_taken")}<//>`}
      <a class="button" href=${`#/payment/${id}`}>${t("where")}</a>`}>
    <p class="total"><${Money} minor=${row.amount_minor} /></p>
    <p class="lead">${t("paid.show", { name })}</p>
    <${QrCode} text=${row.code} label=${t("payment_code")} name="payment" />
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
