// My phones: which ones may hold my money, and what to do about one that is lost.
import { devices, endOtherSessions, phoneMoney, retireDevice } from "../api.js";
import { formatDay, formatMoney, t } from "../i18n.js";
import { currency, thisDeviceId } from "../state.js";
import { Button, Failure, Icon, Notice, Screen, html, useEffect, useSignal } from "../ui.js";
import { syncNow } from "../wallet/autosync.js";

/** @import { Phone, PhoneMoney } from "../api.js" */

/** @param {string} instant RFC 3339 */
const day = (instant) => formatDay(Date.parse(instant) / 1000);

export function Phones() {
  const items = useSignal(/** @type {Phone[]} */ ([]));
  const failure = useSignal(/** @type {unknown} */ (null));
  useEffect(() => void devices().then((said) => (items.value = said.items), (error) => (failure.value = error)), []);
  const isMine = (/** @type {Phone} */ phone) => phone.device_id === thisDeviceId.value;
  const detail = (/** @type {Phone} */ phone) =>
    phone.retired_at
      ? t("phones.blocked", { date: day(phone.retired_at) })
      : t("phones.since", { date: day(phone.registered_at) });
  const shown = items.value.toSorted((one, other) => Number(!!one.retired_at) - Number(!!other.retired_at));
  return html`<${Screen} title=${t("phones")} back="settings">
    <p>${t("phones.explained")}</p>
    <${Failure} error=${failure.value} />
    <ul class="list" data-name="phones">${shown.map(
      (phone) => html`<li key=${phone.device_id}><a class=${`row ${phone.retired_at ? "warn" : ""}`}
        href=${`#/phone/${phone.device_id}`}>
        <span class="row-icon"><${Icon} name=${phone.retired_at ? "lock" : "phone"} /></span>
        <span class="row-text"><b>${phone.name}</b>
          <small>${isMine(phone) && html`<b>${t("phones.this")}</b> · `}${detail(phone)}</small></span></a></li>`,
    )}</ul>
  <//>`;
}

/** One phone: what is out on it, and the button for the day it is lost. @param {{ id: string }} props */
export function PhoneLost({ id }) {
  const told = useSignal(/** @type {PhoneMoney | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  const look = () => phoneMoney(id).then((said) => (told.value = said), (error) => (failure.value = error));
  useEffect(() => void look(), [id]);
  const block = async () => {
    try {
      await retireDevice(id);
      // Who has the phone may be signed in there: nobody but this one stays.
      await endOtherSessions();
      await syncNow();
      await look();
    } catch (error) {
      failure.value = error;
    }
  };
  const phone = told.value;
  const isBlocked = !!phone?.retired_at || !!phone?.blocked;
  return html`<${Screen} title=${phone?.name ?? t("phones")} back="phones" actions=${
    phone && !isBlocked && html`<${Button} kind="danger" name="block" onPress=${block}>${t("phones.block")}<//>`}>
    <${Failure} error=${failure.value} />
    ${phone && html`<${Facts} phone=${phone} />
      ${isBlocked
        ? html`<${Notice} kind="good" icon="lock"><span data-name="blocked">${t("phones.is_blocked")}</span><//>`
        : html`<h2>${t("phones.if_lost")}</h2>`}
      <ul class="plain-list">${sentences(phone, isBlocked).map((text) => html`<li key=${text}>${text}</li>`)}</ul>
      ${id === thisDeviceId.value && !isBlocked && html`<${Notice} kind="warn">${t("phones.this_one")}<//>`}
      <p><a href="#/help/lost">${t("help.lost")}</a></p>`}
  <//>`;
}

/** @param {{ phone: PhoneMoney }} props */
function Facts({ phone }) {
  const amount = (/** @type {{ amount_minor: number }} */ sum) => formatMoney(sum.amount_minor, currency.value);
  return html`<section class="card"><dl class="facts">
    <dt>${t("phones.payable")}</dt><dd data-name="payable">${amount(phone.payable)}</dd>
    ${phone.payable_until && html`<dt>${t("phones.payable_until")}</dt><dd>${day(phone.payable_until)}</dd>`}
    ${phone.home_at && html`<dt>${t("phones.home_at")}</dt><dd>${day(phone.home_at)}</dd>`}
    <dt>${t("phones.received")}</dt><dd>${amount(phone.received)}</dd>
  </dl></section>`;
}

/** What is true of a phone, and what whoever finds it can do. @param {PhoneMoney} phone @param {boolean} isBlocked */
function sentences(phone, isBlocked) {
  const amount = formatMoney(phone.payable.amount_minor, currency.value);
  const canPay = phone.payable.amount_minor > 0 && phone.payable_until;
  const date = phone.payable_until ? day(phone.payable_until) : "";
  const home = phone.home_at ? day(phone.home_at) : "";
  return [
    canPay ? t(isBlocked ? "phones.finder_blocked" : "phones.finder", { amount, date }) : t("phones.finder_nothing"),
    home ? t("phones.comes_home", { date: home }) : "",
    t("phones.received_stays"),
    isBlocked ? "" : t("phones.block.for_ever"),
  ].filter(Boolean);
}
