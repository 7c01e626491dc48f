// Put money into the wallet from a bank.
import { topUp } from "../api.js";
import { t } from "../i18n.js";
import { replace } from "../router.js";
import { about, currency } from "../state.js";
import { AmountField, Form, Notice, Screen, html, minorOf, useSignal } from "../ui.js";
import { syncNow } from "../wallet/autosync.js";

export function TopUp() {
  const typed = useSignal("");
  const minor = minorOf(typed);
  const said = useSignal("");
  const send = async () => {
    const operation = await topUp({ amount_minor: minor ?? 0, currency: currency.value.code });
    await syncNow();
    if (operation.state === "settled") return replace("home");
    said.value = operation.sentence;
  };
  return html`<${Screen} title=${t("top_up")}>
    <${Form} onSend=${send} label=${t("top_up.now")} isReady=${minor !== null}>
      <${AmountField} label=${t("amount")} signal=${typed} />
    <//>
    ${said.value && html`<${Notice}>${said.value}<//>`}
    ${about.value.is_demo && html`<${Notice} kind="warn">${t("top_up.demo")}<//>`}
  <//>`;
}
