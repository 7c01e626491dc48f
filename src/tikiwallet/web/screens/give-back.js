// Give back a payment that was received: all of it or part. The payer scans the code with Pay and needs no request.
import { formatMoney, t, formatDecimal } from "../i18n.js";
import { replace } from "../router.js";
import { currency, received, refresh } from "../state.js";
import { AmountField, Form, Money, Notice, Screen, html, minorOf, useEffect, useSignal } from "../ui.js";
import { giveBack, refundable } from "../wallet/refunding.js";

/** @param {{ id: string }} props the payment */
export function GiveBack({ id }) {
  const row = received.value.find((item) => item.payment_id === id);
  const typed = useSignal("");
  const held = useSignal(/** @type {number | null} */ (null));
  const minor = minorOf(typed);
  const look = async () => {
    const sale = await refundable(id);
    if (sale?.waiting) return replace("paid", sale.waiting.payment_id); // shown again until it has its answer
    held.value = sale?.held_minor ?? 0;
  };
  useEffect(() => void look(), [id]);
  if (!row) return html`<${Screen} title=${t("give_back")}><${Notice} kind="warn">${t("not_here")}<//><//>`;
  const send = async () => {
    const refund = await giveBack(id, minor ?? 0);
    await refresh();
    replace("paid", refund.payment_id);
  };
  const name = row.payer_name || t("somebody");
  return html`<${Screen} title=${t("give_back")} back=${`received/${id}`}>
    <section class="card"><dl class="facts">
      <dt>${t("to")}</dt><dd data-name="payer">${name}</dd>
      <dt>${t("give_back.received")}</dt><dd><${Money} minor=${row.amount_minor} /></dd>
      ${held.value !== null && html`<dt>${t("give_back.held")}</dt>
        <dd data-name="held"><${Money} minor=${held.value} /></dd>`}
    </dl></section>
    ${held.value === 0
      ? html`<${Notice} kind="warn">${t("give_back.nothing")}<//>`
      : html`<${Form} onSend=${send} label=${t("give_back.now")} isReady=${minor !== null && held.value !== null}>
          <${AmountField} label=${t("amount")} signal=${typed} />
          <div><button type="button" class="chip" data-name="all" onClick=${() =>
            (typed.value = formatDecimal(held.value ?? 0, currency.value.digits))}>${t("move.most", {
            amount: formatMoney(held.value ?? 0, currency.value),
          })}</button></div>
        <//>
        <p>${t("give_back.explained", { name })}</p>`}
  <//>`;
}
