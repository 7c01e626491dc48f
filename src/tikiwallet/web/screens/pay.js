// Pay: one screen for both ways. Scan what the payee shows, or pick a person.
import { t } from "../i18n.js";
import { go, replace } from "../router.js";
import { currency, scannedPayment, scannedRequest } from "../state.js";
import { Rejected } from "../tikicash/errors.js";
import { isBundle, isRequest, parseCode } from "../tikicash/messages.js";
import { Screen, html } from "../ui.js";
import { PersonPicker } from "../ui/person-picker.js";
import { Scanner } from "../ui/scanner.js";
import { findOrder } from "../wallet/orders.js";
import { findPaid, readRequest, requestRef } from "../wallet/paying.js";
import { isRefund } from "../wallet/refunding.js";

export function Pay() {
  const take = async (/** @type {string} */ text) => {
    const message = parseCode(text);
    if (await isRefund(message)) {
      scannedPayment.value = message;
      return void replace("verdict");
    }
    if (!isBundle(message) || !message.documents.some(isRequest)) throw new Rejected("not_a_request");
    const asked = await readRequest(message, currency.value.number);
    const before = await findPaid(asked);
    if (before) return void replace("paid", before.payment_id);
    const order = await findOrder(requestRef(asked));
    if (order) return void replace("order", order.order_id);
    scannedRequest.value = asked;
    replace("confirm");
  };
  return html`<${Screen} title=${t("pay")}>
    <${Scanner} onCode=${take} hint=${t("pay.hint")} />
    <section><div class="section-title"><h2>${t("pay.person")}</h2></div>
      <${PersonPicker} onPick=${(/** @type {string} */ username) => go("send", username)} /></section>
  <//>`;
}
