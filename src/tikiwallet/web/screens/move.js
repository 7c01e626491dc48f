// Move money between the online balance and this phone, all or part of it; what is underway, and when it comes.
import { Problem, policy } from "../api.js";
import { comingHome } from "../activity.js";
import { formatMoney, t, formatDecimal } from "../i18n.js";
import { isTabThatForgets, phoneName } from "../platform.js";
import { replace, rememberPlace } from "../router.js";
import { currency, isStorageKept, limits, money, offlineMinor, refresh, wanted } from "../state.js";
import { AmountField, Form, Icon, Money, Notice, Row, Screen, html, minorOf, useEffect, useSignal } from "../ui.js";
import { syncNow } from "../wallet/autosync.js";
import { handBack } from "../wallet/paying.js";
import { keepLimits, load } from "../wallet/sync.js";

/** @typedef {import("../api.js").Loading} Loading */

/** Throw what a load was refused for. @param {Loading} loading */
function checkLoaded({ code, detail }) {
  if (code) throw new Problem({ code, title: detail, detail, status: 0 });
}

export function Move() {
  const direction = useSignal(/** @type {"load" | "unload"} */ ("load"));
  const typed = useSignal("");
  const minor = minorOf(typed);
  const online = money.value?.online[0]?.amount_minor ?? 0;
  useEffect(() => void policy().then(keepLimits).then(refresh, () => undefined), []); // else what was known
  const isLoad = direction.value === "load";
  const most = isLoad ? Math.min(online, limits.value?.voucher_max_minor ?? online) : offlineMinor.value;
  const isHere = rememberPlace();
  const send = async () => {
    const amount_minor = minor ?? 0;
    if (isLoad) {
      const loading = await load({ amount_minor, currency: currency.value.code }, phoneName());
      await refresh();
      checkLoaded(loading);
    } else {
      await handBack(amount_minor);
      await refresh();
      await syncNow();
    }
    if (isHere()) replace("home");
  };
  const isRefusedHere = isLoad && isTabThatForgets();
  return html`<${Screen} title=${t("move")}>
    <div class="side-by-side" role="group" aria-label=${t("direction")}>
      ${/** @type {const} */ (["load", "unload"]).map(
        (way) => html`<button type="button" class=${`button ${direction.value === way ? "main" : "plain"}`}
          data-name=${way} aria-pressed=${direction.value === way}
          onClick=${() => (direction.value = way)}>${t(`move.${way}`)}</button>`,
      )}
    </div>
    <section class="card"><dl class="facts">
      <dt>${t("online")}</dt><dd><${Money} minor=${online} /></dd>
      <dt>${t("offline")}</dt><dd><${Money} minor=${offlineMinor.value} /></dd>
      ${!isLoad && limits.value && html`<dt>${t("move.at_once")}</dt>
        <dd data-name="at-once"><${Money} minor=${atOnce()} /></dd>`}
    </dl></section>
    ${isRefusedHere
      ? html`<${Notice} kind="bad">${t("move.tab_forgets")} <a href="#/help/install">${t("help.install")}</a><//>`
      : html`<${Form} onSend=${send} label=${t(`move.${direction.value}.now`)} isReady=${minor !== null}>
          <${AmountField} label=${t("amount")} signal=${typed} />
          ${most > 0 && html`<div><button type="button" class="chip" data-name="all"
            onClick=${() => (typed.value = formatDecimal(most, currency.value.digits))}>${t("move.most", {
            amount: formatMoney(most, currency.value),
          })}</button></div>`}
        <//>
        <${Notice}>${t(`move.${direction.value}.explained`)}<//>`}
    ${isLoad && !isRefusedHere && isStorageKept.value === false &&
    html`<${Notice} kind="warn">${t("move.may_be_cleared")} <a href="#/storage">${t("storage")}</a><//>`}
    <ul class="list"><li><a class="row" href="#/keep"><span class="row-icon"><${Icon} name="sync" /></span>
      <span class="row-text"><b>${t("keep")}</b><small>${
        wanted.value ? formatMoney(wanted.value.amount_minor, currency.value) : t("off")}</small></span></a></li></ul>
    ${comingHome.value.length > 0 &&
    html`<section><div class="section-title"><h2>${t("underway")}</h2></div>
      <ul class="list">${comingHome.value.map((item) => html`<${Row} key=${item.key} ...${item} />`)}</ul></section>`}
  <//>`;
}

/** What is left of the limit up to which a hand-back is released at once, in minor units. */
function atOnce() {
  const used = (money.value?.lines ?? []).filter((line) => line.line === "advance");
  const left = (limits.value?.early_release_minor ?? 0) - used.reduce((sum, line) => sum + line.amount.amount_minor, 0);
  return Math.max(0, left);
}
