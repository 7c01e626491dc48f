// The verdict: what the payee sees after his own phone has judged a payment. Wholly safe money is taken at once; where
// a part is at his risk he says yes or no, and his no is a signed document too.
import { t } from "../i18n.js";
import { replace } from "../router.js";
import { received, refresh, refused, scannedPayment } from "../state.js";
import { Rejected } from "../tikicash/errors.js";
import { Button, Icon, Notice, Screen, html, sentenceOf, useEffect, useSignal } from "../ui.js";
import { announce } from "../ui/announce.js";
import { QrCode } from "../ui/qr-code.js";
import { Verdict, wordOf } from "../ui/verdict.js";
import { syncNow } from "../wallet/autosync.js";
import { findKnown, judge, refuse, takePayment } from "../wallet/receiving.js";

/** @import { Acceptance } from "../tikicash/rules.js" */
/** @import { Message } from "../tikicash/messages.js" */

/** @param {Acceptance} acceptance */
function safeOf({ how_safe: safe }) {
  const { final, protected: covered, at_risk, claim_by } = safe;
  return { final_minor: final, protected_minor: covered, at_risk_minor: at_risk, claim_by };
}

/** Who gave it, and whether it gives back what I paid. @param {string | null} name @param {boolean} isRefund */
function titleOf(name, isRefund) {
  if (isRefund) return t("verdict.refund", { name: name || t("somebody") });
  return name ? t("verdict.from", { name }) : t("verdict.from_somebody");
}

/** The payment that was scanned, before it is taken. */
export function Judged() {
  const acceptance = useSignal(/** @type {Acceptance | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  const message = scannedPayment.value;
  useEffect(() => void (message ? look(message) : replace("home")), [message]);

  const look = async (/** @type {Message} */ scanned) => {
    try {
      const known = await findKnown(scanned);
      if (known) return void replace("receipt_code" in known ? "received" : "refused", known.payment_id);
      const found = await judge(scanned);
      const word = wordOf(safeOf(found));
      if (word !== "risk") return void (await take(scanned, word));
      announce("risk", found.payment.body.total);
      acceptance.value = found;
    } catch (error) {
      announce("refused", 0);
      failure.value = error;
    }
  };
  const take = async (/** @type {Message} */ scanned, /** @type {import("../ui/announce.js").Finding} */ word) => {
    const row = await takePayment(scanned);
    await refresh();
    announce(word, row.amount_minor);
    replace("received", row.payment_id);
    void syncNow();
  };
  const sayNo = async (/** @type {string} */ reason) => {
    const row = await refuse(/** @type {Message} */ (message), reason);
    await refresh();
    replace("refused", row.payment_id);
  };
  if (failure.value) return html`<${Refusing} error=${failure.value} onRefuse=${sayNo} />`;
  const found = acceptance.value;
  if (!found || !message) return html`<${Screen} title=${t("verdict")}><p class="lead">${t("checking")}</p><//>`;
  const from = titleOf(found.payer_name, found.sale !== null);
  return html`<${Screen} title=${t("verdict")} actions=${html`
      <${Button} kind="main" name="accept" onPress=${() => take(message, "received")}>${t("accept")}<//>
      <${Button} kind="danger" name="refuse" onPress=${() => sayNo("payee_declined")}>${t("refuse")}<//>`}>
    <${Verdict} safe=${safeOf(found)} totalMinor=${found.payment.body.total} title=${from} />
    ${found.memo && html`<p class="lead">“${found.memo}”</p>`}
  <//>`;
}

/**
 * A payment that does not hold, and why.
 * @param {{ error: unknown, onRefuse: (reason: string) => Promise<void> }} props
 */
function Refusing({ error, onRefuse }) {
  const failure = useSignal(/** @type {unknown} */ (null));
  const code = error instanceof Rejected ? error.code : "";
  const sign = () => onRefuse(code).catch((problem) => (failure.value = problem));
  return html`<${Screen} title=${t("verdict")} actions=${html`
      <a class="button main" href="#/home">${t("done")}</a>
      ${code && html`<${Button} onPress=${sign}>${t("show_refusal")}<//>`}`}>
    <section class="verdict refused" data-verdict="refused" data-code=${code} role="alert">
      <${Icon} name="cross" /><h2>${t("verdict.refused")}</h2>
      <p>${sentenceOf(error)}</p>
      <p class="verdict-why"><a href="#/help/refused">${t("help.refused")}</a></p>
    </section>
    ${failure.value && html`<${Notice} kind="bad">${sentenceOf(failure.value)}<//>`}
  <//>`;
}

/** A payment that was taken, with the receipt for the payer to scan. @param {{ id: string }} props */
export function Received({ id }) {
  const row = received.value.find((item) => item.payment_id === id);
  if (!row) return html`<${Screen} title=${t("receipt")}><${Notice} kind="warn">${t("not_here")}<//><//>`;
  const from = titleOf(row.payer_name, Boolean(row.refund_of));
  return html`<${Screen} title=${t("receipt")} actions=${html`
      <a class="button main" href="#/home">${t("done")}</a>`}>
    <${Verdict} safe=${row} totalMinor=${row.amount_minor} title=${from} isCompact />
    ${row.memo && html`<p class="lead">“${row.memo}”</p>`}
    <p class="lead">${t("receipt.explained")}</p>
    <${QrCode} text=${row.receipt_code} label=${t("receipt_code")} name="receipt" />
    ${row.is_claim_only && html`<${Notice}>${t("received.claim_only")}<//>`}
    ${!row.refund_of && html`<a class="button" href=${`#/give-back/${id}`}>${t("give_back")}</a>`}
  <//>`;
}

/** A payment that was refused, with the signed refusal for the payer to scan. @param {{ id: string }} props */
export function Refused({ id }) {
  const row = refused.value.find((item) => item.payment_id === id);
  if (!row) return html`<${Screen} title=${t("verdict.refused")}><${Notice} kind="warn">${t("not_here")}<//><//>`;
  return html`<${Screen} title=${t("verdict.refused")} actions=${html`
      <a class="button main" href="#/home">${t("done")}</a>`}>
    <p class="lead">${t("refused.explained")}</p>
    <${QrCode} text=${row.code} label=${t("refusal_code")} name="refusal" />
  <//>`;
}
