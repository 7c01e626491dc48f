// People: those I dealt with, and for each what to do: pay, or ask for money.
import { activities } from "../activity.js";
import { askFor, findPerson } from "../api.js";
import { t } from "../i18n.js";
import { people } from "../people.js";
import { go, replace, rememberPlace } from "../router.js";
import { currency, draft, refresh } from "../state.js";
import { AmountField, Field, Form, Notice, Row, Screen, html, minorOf, useEffect, useSignal } from "../ui.js";
import { Initial, PersonPicker } from "../ui/person-picker.js";
import { keepRequest } from "../wallet/online.js";

/** @import { PublicPerson } from "../api.js" */

const MEMO_MAX = 140; // characters, as the server takes them
const SHOWN = 10;

export function People() {
  return html`<${Screen} title=${t("people")}>
    <${PersonPicker} onPick=${(/** @type {string} */ username) => go("person", username)} />
  <//>`;
}

/** One person: what was between us. @param {{ id: string }} props the username */
export function Person({ id }) {
  const known = people.value.find((item) => item.username === id);
  const names = [t("activity.paid", { name: id }), t("activity.received", { name: id })];
  const between = activities.value.filter((item) => names.includes(item.title)).slice(0, SHOWN);
  return html`<${Screen} title=${id} back="people" actions=${html`<div class="side-by-side">
      <a class="button main" href=${`#/send/${id}`}>${t("pay")}</a>
      <a class="button" href=${`#/ask/${id}`}>${t("ask")}</a></div>`}>
    <section class="card person"><${Initial} name=${id} /><b>${id}</b>
      ${known?.phone_masked && html`<bdi dir="ltr">${known.phone_masked}</bdi>`}</section>
    ${between.length > 0
      ? html`<section><div class="section-title"><h2>${t("person.between")}</h2></div>
          <ul class="list">${between.map((item) => html`<${Row} key=${item.key} ...${item} />`)}</ul></section>`
      : html`<p class="lead">${t("person.nothing")}</p>`}
  <//>`;
}

/** How much, to somebody who was picked. @param {{ id: string }} props the username */
export function Send({ id }) {
  const before = draft.value?.payee.username === id ? draft.value : null;
  const isHere = rememberPlace();
  const next = async (/** @type {number} */ minor, /** @type {string} */ memo) => {
    const payee = await findPerson("username", id);
    const amount = { amount_minor: minor, currency: currency.value.code };
    draft.value = { kind: "transfer", payee, amount, memo, request_id: "", reference: "", request_ref: "" };
    if (isHere()) go("confirm-order");
  };
  return html`<${HowMuch} title=${t("send.title", { name: id })} username=${id} label=${t("continue")}
    memo=${before?.memo ?? ""} back="pay" onSend=${next} />`;
}

/** Ask somebody for money. @param {{ id: string }} props the username */
export function Ask({ id }) {
  const isHere = rememberPlace();
  const next = async (/** @type {number} */ minor, /** @type {string} */ memo) => {
    const order = { payer: { username: id }, amount: { amount_minor: minor, currency: currency.value.code }, memo };
    const { answer, settled } = await askFor(order);
    await keepRequest(answer, [settled]);
    await refresh();
    if (isHere()) replace("request", answer.request_id);
  };
  return html`<${HowMuch} title=${t("ask.title", { name: id })} username=${id} label=${t("ask.now")} memo=""
    back="requests" onSend=${next} />`;
}

/**
 * An amount and a note. Sees at once whether the person is there, so that nobody types for nothing.
 * @param {{ title: string, username: string, label: string, memo: string, back: string,
 *   onSend: (minor: number, memo: string) => Promise<void> }} props
 */
function HowMuch({ title, username, label, memo: given, back, onSend }) {
  const [typed, memo] = [useSignal(""), useSignal(given)];
  const found = useSignal(/** @type {PublicPerson | null} */ (null));
  const minor = minorOf(typed);
  useEffect(() => {
    // Without a network, or for somebody who is not there, sending says so.
    findPerson("username", username).then((someone) => (found.value = someone), () => undefined);
  }, [username]);
  return html`<${Screen} title=${title} back=${back}>
    ${found.value && html`<section class="card person"><${Initial} name=${username} /><b>${username}</b>
      <bdi dir="ltr" data-name="payee-phone">${found.value.phone_masked}</bdi></section>`}
    <${Form} onSend=${() => onSend(minor ?? 0, memo.value.trim())} label=${label} isReady=${minor !== null}>
      <${AmountField} label=${t("amount")} signal=${typed} />
      <${Field} label=${t("memo")} signal=${memo} maxlength=${MEMO_MAX} autocomplete="off" />
    <//>
    <${Notice}>${t("needs_network")}<//>
  <//>`;
}
