// Move money between the online balance and this phone.
import { Problem } from "../api.js";
import { t } from "../i18n.js";
import { replace } from "../router.js";
import { currency, money, offlineMinor, refresh } from "../state.js";
import { AmountField, Form, Money, Notice, Screen, html, minorOf, useSignal } from "../ui.js";
import { syncNow } from "../wallet/autosync.js";
import { handBack } from "../wallet/paying.js";
import { load } from "../wallet/sync.js";

export function Move() {
  const direction = useSignal(/** @type {"load" | "unload"} */ ("load"));
  const typed = useSignal("");
  const minor = minorOf(typed);
  const isLoad = direction.value === "load";
  const send = async () => {
    const amount_minor = minor ?? 0;
    if (isLoad) {
      const loading = await load({ amount_minor, currency: currency.value.code }, "Web wallet");
      await refresh();
      const { code, detail } = loading;
      if (code) throw new Problem({ code, title: detail, detail, status: 0 });
    } else {
      await handBack(amount_minor);
      await refresh();
      await syncNow();
    }
    replace("home");
  };
  return html`<${Screen} title=${t("move")}>
    <div class="side-by-side" role="group" aria-label=${t("direction")}>
      ${/** @type {const} */ (["load", "unload"]).map(
        (way) => html`<button type="button" class=${`button ${direction.value === way ? "main" : "plain"}`}
          data-name=${way} aria-pressed=${direction.value === way}
          onClick=${() => (direction.value = way)}>${t(`move.${way}`)}</button>`,
      )}
    </div>
    <section class="card"><dl class="facts">
      <dt>${t("online")}</dt><dd><${Money} minor=${money.value?.online[0]?.amount_minor ?? 0} /></dd>
      <dt>${t("offline")}</dt><dd><${Money} minor=${offlineMinor.value} /></dd>
    </dl></section>
    <${Form} onSend=${send} label=${t(`move.${direction.value}.now`)} isReady=${minor !== null}>
      <${AmountField} label=${t("amount")} signal=${typed} />
    <//>
    <${Notice}>${t(`move.${direction.value}.explained`)}<//>
  <//>`;
}
