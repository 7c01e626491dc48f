// Get paid: the amount, then the request code; then the payer's answer is scanned and judged.
import { formatMoney, formatTime, t } from "../i18n.js";
import { go, replace } from "../router.js";
import { asked, currency, isSignedIn, refresh, scannedPayment, shown } from "../state.js";
import { Rejected } from "../tikicash/errors.js";
import { isBundle, isPayment, parseCode } from "../tikicash/messages.js";
import { AmountField, Button, Form, Icon, Money, Notice, Screen, html, minorOf, useEffect, useSignal } from "../ui.js";
import { tell } from "../ui/announce.js";
import { QrCode } from "../ui/qr-code.js";
import { Scanner } from "../ui/scanner.js";
import { syncNow } from "../wallet/autosync.js";
import { ask, cancelRequest } from "../wallet/receiving.js";
import { announce } from "../wallet/shown.js";

/** @import { AskedRow } from "../wallet/receiving.js" */

const ANNOUNCE_MS = 3_000;

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
  const isAnnounced = useAnnouncing(row);
  const paid = shown.value.find((item) => item.nonce === id && item.paid_at !== null);
  useEffect(() => void (paid && replace("paid-online", paid.reference)), [paid]);
  if (!row) return html`<${Screen} title=${t("get_paid")}><${Notice} kind="warn">${t("request_gone")}<//><//>`;
  const cancel = async () => {
    await cancelRequest(id);
    await refresh();
    replace("home");
    void syncNow(); // the operator is told as well
  };
  return html`<${Screen} title=${t("get_paid")} actions=${html`
      <${Button} kind="main" name="scan" onPress=${() => go("scan-payment", id)}>${t("scan_payment")}<//>
      <${Button} onPress=${cancel}>${t("cancel_request")}<//>`}>
    <p class="total"><${Money} minor=${row.amount_minor} /></p>
    <p class="lead">${t("asked.explained")}</p>
    <${QrCode} text=${row.code} label=${t("request_code")} name="request" />
    <p class="lead" role="status" data-name=${isAnnounced ? "announced" : "by-code"}>
      ${t(isAnnounced ? "asked.online" : "asked.offline")}</p>
  <//>`;
}

/**
 * Tell the operator again and again that a request is on the screen, as long as it is; return whether it knows now.
 * @param {AskedRow | undefined} row
 */
function useAnnouncing(row) {
  const isKnown = useSignal(false);
  useEffect(() => {
    if (!row || !isSignedIn.value) return undefined;
    let isShown = true;
    const tell = async () => {
      try {
        const { paid_at: paidAt, payer } = await announce(row, currency.value.code);
        isKnown.value = true;
        if (paidAt !== null && isShown) await celebrate(row, payer?.username ?? "");
      } catch {
        isKnown.value = false; // by code, then: that needs nobody else
      }
      if (isShown) timer = setTimeout(tell, ANNOUNCE_MS);
    };
    let timer = setTimeout(tell, 0);
    return () => {
      isShown = false;
      clearTimeout(timer);
    };
  }, [row?.nonce]);
  return isKnown.value;
}

/** @param {AskedRow} row @param {string} payer */
async function celebrate(row, payer) {
  const amount = formatMoney(row.amount_minor, currency.value);
  tell("yes", t(payer ? "spoken.received_from" : "spoken.received", { amount, name: payer }));
  await refresh();
  void syncNow();
}

/** A request of mine that was paid online. @param {{ id: string }} props its reference */
export function PaidOnline({ id }) {
  const row = shown.value.find((item) => item.reference === id);
  if (!row) return html`<${Screen} title=${t("receipt")}><${Notice} kind="warn">${t("not_here")}<//><//>`;
  return html`<${Screen} title=${t("receipt")} actions=${html`
      <a class="button main" href="#/home">${t("done")}</a>
      <a class="button" href=${`#/payment/${row.transfer_id}`}>${t("where")}</a>`}>
    <section class="verdict final" data-verdict="final" role="status">
      <${Icon} name="check" />
      <h2>${t("verdict.final")}</h2>
      <p class="verdict-amount"><${Money} minor=${row.amount_minor} /></p>
      <p>${t("verdict.from", { name: row.payer?.username ?? t("somebody") })}</p>
      <p class="verdict-why">${t("verdict.online.why")}</p>
    </section>
    ${row.memo && html`<p class="lead">“${row.memo}”</p>`}
    <p class="lead">${formatTime(row.paid_at ?? 0)}</p>
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
