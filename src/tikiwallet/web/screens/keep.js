// Keep some money on this phone automatically, and what became of it.
import { formatMoney, formatDecimal, formatTime, sentenceOfCode, t } from "../i18n.js";
import { currency, kept, offlineMinor, refresh, wanted } from "../state.js";
import { AmountField, Button, Form, Money, Notice, Screen, html, minorOf, useSignal } from "../ui.js";
import { syncNow } from "../wallet/autosync.js";
import { keepOffline } from "../wallet/keeping.js";

export function Keep() {
  const { code, digits } = currency.value;
  const typed = useSignal(wanted.value ? formatDecimal(wanted.value.amount_minor, digits) : "");
  const minor = minorOf(typed);
  const set = async (/** @type {number} */ amountMinor) => {
    await keepOffline(amountMinor, code);
    await refresh();
    await syncNow();
  };
  const stop = async () => {
    await set(0);
    typed.value = "";
  };
  return html`<${Screen} title=${t("keep")} back="move">
    <p>${t("keep.explained")}</p>
    <section class="card"><dl class="facts">
      <dt>${t("offline")}</dt><dd><${Money} minor=${offlineMinor.value} /></dd>
      <dt>${t("keep.wanted")}</dt><dd data-name="wanted">${
        wanted.value ? html`<${Money} minor=${wanted.value.amount_minor} />` : t("off")}</dd>
    </dl></section>
    <${Form} onSend=${() => set(minor ?? 0)} label=${t("keep.now")} isReady=${minor !== null}>
      <${AmountField} label=${t("amount")} signal=${typed} />
    <//>
    <${Outcome} />
    ${wanted.value && html`<${Button} name="stop-keeping" onPress=${stop}>${t("keep.stop")}<//>`}
  <//>`;
}

/** What the last sync did for it. */
function Outcome() {
  const last = kept.value;
  if (!wanted.value || !last) return null;
  const at = formatTime(last.at);
  if (last.code) {
    const why = sentenceOfCode(last.code, last.detail);
    return html`<${Notice} kind="warn"><span data-code=${last.code}>${t("keep.not_filled", { at })} ${why}</span><//>`;
  }
  const amount = formatMoney(last.loaded_minor, currency.value);
  const text = last.loaded_minor ? t("keep.filled", { at, amount }) : t("keep.enough", { at });
  return html`<${Notice} kind="good"><span data-name="kept">${text}</span><//>`;
}
