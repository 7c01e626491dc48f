// My account: what may still be sent, whether the wallet is frozen, everything that is held of me, and closing it.
import * as api from "../api-account.js";
import { formatDay, formatMoney, hasText, t } from "../i18n.js";
import { saveFile } from "../platform.js";
import { go } from "../router.js";
import { about, person, refresh } from "../state.js";
import { Button, Failure, Icon, Notice, Screen, html, useEffect, useSignal } from "../ui.js";
import { Proof, useProof } from "../ui/proof.js";
import { signOut } from "../wallet/session.js";
import { learnStanding } from "../wallet/standing.js";

/** @import { Allowance, Closing, Span } from "../api-account.js" */

/** @param {string} code */
const currencyOf = (code) => about.value.currencies.find((item) => item.code === code) ?? about.value.currencies[0];
/** @param {string} instant */
const dayOf = (instant) => formatDay(Date.parse(instant) / 1000);

export function Account() {
  const items = useSignal(/** @type {Allowance[] | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  useEffect(() => {
    learnStanding().then(refresh, (error) => (failure.value ??= error));
    api.allowances().then((said) => (items.value = said.items), (error) => (failure.value ??= error));
  }, []);
  const { asked, run } = useProof();
  const save = async () => {
    failure.value = null;
    try {
      const data = JSON.stringify(await run(api.exportData), null, 2);
      saveFile(new Blob([data], { type: "application/json" }), "tikiwallet.json");
    } catch (error) {
      failure.value = error;
    }
  };
  if (asked.value) {
    return html`<${Screen} title=${t("account.data")} back="settings"><${Proof} ...${asked.value} /><//>`;
  }
  const isClosing = person.value?.state === "closing";
  return html`<${Screen} title=${t("account")} back="settings">
    <${Failure} error=${failure.value} />
    <${Frozen} />
    ${isClosing && html`<${Notice} kind="warn">${t("close.closing")} <a href="#/close">${t("close")}</a><//>`}
    ${(items.value ?? []).map((item) => html`<${Limits} key=${item.currency} ...${item} />`)}
    <section class="card"><h2>${t("account.data")}</h2><p>${t("account.data.explained")}</p>
      <${Button} name="save-data" icon="share" onPress=${save}>${t("account.data.save")}<//></section>
    <a class="button danger" href="#/close">${t("close")}</a>
  <//>`;
}

/** Says plainly that the wallet is frozen, why, and what still works. */
export function Frozen() {
  const why = person.value?.frozen_because;
  if (person.value?.state !== "frozen") return null;
  return html`<${Notice} kind="bad"><b>${t("account.frozen")}.</b>
    ${" "}${hasText(`account.frozen.${why}`) ? t(`account.frozen.${why}`) : ""} ${t("account.frozen.works")}<//>`;
}

/** @param {Allowance} item */
function Limits({ currency: code, balance_max_minor: most, day, month }) {
  const currency = currencyOf(code);
  /** @param {Span} span */
  const left = ({ left_minor: minor, out_max_minor: of, resets_at: at }) => minor === null || of === null
    ? t("account.no_limit")
    : t("account.left", { left: formatMoney(minor, currency), most: formatMoney(of, currency), at: dayOf(at) });
  return html`<section class="card"><h2>${t("account.limits")}</h2><dl class="facts">
    <dt>${t("account.day")}</dt><dd data-name="day">${left(day)}</dd>
    <dt>${t("account.month")}</dt><dd data-name="month">${left(month)}</dd>
    <dt>${t("account.holds")}</dt>
    <dd>${most === null ? t("account.no_limit") : formatMoney(most, currency)}</dd>
  </dl></section>`;
}

export function Close() {
  const found = useSignal(/** @type {Closing | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  /** @param {() => Promise<Closing>} ask */
  const attempt = async (ask) => {
    failure.value = null;
    try {
      found.value = await ask();
      if (found.value.state !== "closed") await learnStanding();
    } catch (error) {
      failure.value = error;
    }
    await refresh();
  };
  useEffect(() => void attempt(api.lookAtClosing), []);
  const { state, obstacles } = found.value ?? { state: "", obstacles: [] };
  if (state === "closed") return html`<${Closed} />`;
  return html`<${Screen} title=${t("close")} back="account" actions=${html`
      <${Button} kind="danger" name="close" disabled=${found.value === null} onPress=${() => attempt(api.closeWallet)}>
        ${t("close.begin")}<//>
      ${state === "closing" &&
      html`<${Button} name="keep" onPress=${() => attempt(api.keepWallet)}>${t("close.keep")}<//>`}`}>
    <${Failure} error=${failure.value} />
    ${state === "closing" && html`<${Notice} kind="warn">${t("close.closing")}<//>`}
    <p>${t("close.explained")}</p>
    ${found.value && obstacles.length === 0 && html`<${Notice} kind="good">${t("close.nothing")}<//>`}
    ${obstacles.length > 0 && html`<section><div class="section-title"><h2>${t("close.in_the_way")}</h2></div>
      <ul class="list" data-name="obstacles">${obstacles.map(({ kind, amount, until }, index) => html`<li class="row"
        key=${index}><span class="row-icon"><${Icon} name="alert" /></span>
        <span class="row-text"><b>${amount && formatMoney(amount.amount_minor, currencyOf(amount.currency))}</b>
          <small>${t(`close.${kind}`)}${until && ` · ${t("close.until", { at: dayOf(until) })}`}</small></span>
      </li>`)}</ul></section>`}
  <//>`;
}

function Closed() {
  const leave = async () => {
    await signOut();
    await refresh();
    go("home");
  };
  return html`<${Screen} title=${t("close")} back=${null} actions=${html`
      <${Button} kind="main" name="leave" onPress=${leave}>${t("sign_out")}<//>`}>
    <${Notice} kind="good">${t("close.closed")}<//>
  <//>`;
}
