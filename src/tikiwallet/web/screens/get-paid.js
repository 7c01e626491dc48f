// Get paid: the amount, then the request code; then the payer's answer is scanned and judged.
import { t } from "../i18n.js";
import { go, replace } from "../router.js";
import { asked, currency, refresh, scannedPayment } from "../state.js";
import { Rejected } from "../tikicash/errors.js";
import { isBundle, isPayment, parseCode } from "../tikicash/messages.js";
import { AmountField, Button, Form, Money, Notice, Screen, html, minorOf, useSignal } from "../ui.js";
import { QrCode } from "../ui/qr-code.js";
import { Scanner } from "../ui/scanner.js";
import { ask, cancelRequest } from "../wallet/receiving.js";

export function GetPaid() {
  const typed = useSignal("");
  const minor = minorOf(typed);
  const send = async () => {
    const row = await ask(minor ?? 0, currency.value.number);
    await refresh();
    replace("asked", row.nonce);
  };
  return html`<${Screen} title=${t("get_paid")}>
    <${Form} onSend=${send} label=${t("show_code")} isReady=${minor !== null}>
      <${AmountField} label=${t("amount")} signal=${typed} />
    <//>
    <p class="lead">${t("get_paid.explained")}</p>
  <//>`;
}

/** The request code of the payee. @param {{ id: string }} props its nonce */
export function Asked({ id }) {
  const row = asked.value.find((item) => item.nonce === id);
  if (!row) return html`<${Screen} title=${t("get_paid")}><${Notice} kind="warn">${t("request_gone")}<//><//>`;
  const cancel = async () => {
    await cancelRequest(id);
    await refresh();
    replace("home");
  };
  return html`<${Screen} title=${t("get_paid")} actions=${html`
      <${Button} kind="main" name="scan" onPress=${() => go("scan-payment", id)}>${t("scan_payment")}<//>
      <${Button} onPress=${cancel}>${t("cancel_request")}<//>`}>
    <p class="total"><${Money} minor=${row.amount_minor} /></p>
    <p class="lead">${t("asked.explained")}</p>
    <${QrCode} text=${row.code} label=${t("request_code")} />
  <//>`;
}

/** The camera of the payee, looking for the payment. @param {{ id: string }} props the nonce of the request */
export function ScanPayment({ id }) {
  const take = async (/** @type {string} */ text) => {
    const message = parseCode(text);
    const payment = isBundle(message) ? message.documents.at(-1) : undefined;
    if (!payment || !isPayment(payment)) throw new Rejected("not_a_payment");
    scannedPayment.value = message;
    replace("verdict", payment.short_id);
  };
  return html`<${Screen} title=${t("scan_payment")} back=${`asked/${id}`}>
    <${Scanner} onCode=${take} hint=${t("scan_payment.hint")} />
  <//>`;
}
