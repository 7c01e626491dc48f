// Whom and how much, before anything leaves the phone: for a scanned code and for a person who was picked.
//
// A scanned code is paid online only while the server knows that the payee's phone shows it; else by code.
import * as api from "../api.js";
import { t } from "../i18n.js";
import { replace } from "../router.js";
import { currency, draft, isSignedIn, money, offlineMinor, refresh, scannedRequest } from "../state.js";
import { Button, Failure, Field, Money, Notice, Screen, html, useEffect, useSignal } from "../ui.js";
import { findOrder, hold } from "../wallet/orders.js";
import { pay, requestRef } from "../wallet/paying.js";
import { referenceOf } from "../wallet/shown.js";

/** @import { ShownRequest } from "../api.js" */
/** @import { Asked } from "../tikicash/rules.js" */

const MEMO_MAX = 60; // characters; even the widest script stays within the 128 bytes of the standard with most texts

/** What is in the wallet online, as far as this phone knows, in minor units. */
const onlineMinor = () => money.value?.online[0]?.amount_minor ?? 0;

/**
 * Ask whether a scanned code can be paid online; null means by code.
 * @param {Asked} asked @returns {Promise<ShownRequest | null>}
 */
async function findShown(asked) {
  const { amount } = asked.request.body;
  if (!isSignedIn.value) return null;
  try {
    const shown = await api.shownCode(referenceOf(requestRef(asked)));
    const isIt = shown.state === "open" && shown.amount.amount_minor === amount;
    if (!isIt || shown.amount.currency !== currency.value.code) return null;
    // Who has too little online but enough on the phone pays by code.
    return onlineMinor() >= amount || offlineMinor.value < amount ? shown : null;
  } catch (error) {
    if (error instanceof api.Problem || error instanceof api.Unreachable) return null;
    throw error;
  }
}

/** A request that was scanned. */
export function Confirm() {
  const memo = useSignal("");
  const failure = useSignal(/** @type {unknown} */ (null));
  const shown = useSignal(/** @type {ShownRequest | null | undefined} */ (undefined)); // undefined: being asked
  const asked = scannedRequest.value;
  useEffect(() => {
    if (!asked) return void replace("pay");
    findShown(asked).then((found) => (shown.value = found), (error) => (failure.value = error));
  }, [asked]);
  if (!asked) return null;
  const { body } = asked.request;
  const online = shown.value;
  const has = online ? onlineMinor() : offlineMinor.value;
  const send = async () => {
    try {
      const order = await findOrder(requestRef(asked));
      if (order) return replace("order", order.order_id);
      const to = online ? await payOnline(asked, online, memo.value.trim()) : await payByCode(asked, memo.value.trim());
      scannedRequest.value = null;
      replace(...to);
    } catch (error) {
      await refresh(); // the key may have been retired: then there is less here than before
      failure.value = error;
    }
  };
  return html`<${Screen} title=${t("confirm")} back="pay" actions=${html`
      <${Button} kind="main" name="confirm" onPress=${send}
        disabled=${online === undefined || has < body.amount}>${t("pay_now")}<//>
      ${online && offlineMinor.value >= body.amount &&
      html`<button type="button" class="button" data-name="by-code"
        onClick=${() => (shown.value = null)}>${t("pay.by_code")}</button>`}`}>
    <${Facts} name=${online?.payee.username ?? asked.verified_name ?? body.name ?? t("somebody")}
      phone=${online?.payee.phone_masked ?? ""} minor=${body.amount} has=${has}
      left=${t(online ? "left_online" : "left_offline")} />
    ${online !== undefined && html`<${HowItGoes} online=${online} isVerified=${asked.verified_name !== null} />`}
    <${Field} label=${t("memo")} signal=${memo} maxlength=${MEMO_MAX} autocomplete="off" />
    ${online !== undefined && has < body.amount &&
    html`<${Notice} kind="bad">${online ? t("code.insufficient_funds") : t("code.not_enough_offline_money")}<//>`}
    <${Failure} error=${failure.value} />
  <//>`;
}

/** @param {{ online: ShownRequest | null, isVerified: boolean }} props */
function HowItGoes({ online, isVerified }) {
  if (online) return html`<${Notice} kind="good" icon="check"><span data-name="way">${t("pay.online")}</span><//>`;
  return html`${isVerified
      ? html`<${Notice} kind="good" icon="shield">${t("name_verified")}<//>`
      : html`<${Notice} kind="warn">${t("name_not_verified")}<//>`}
    <${Notice} icon="offline"><span data-name="way">${t("pay.offline")}</span><//>`;
}

/** @param {Asked} asked @param {string} memo @returns {Promise<[string, string]>} */
async function payByCode(asked, memo) {
  const row = await pay(asked, memo);
  await refresh();
  return ["paid", row.payment_id];
}

/** @param {Asked} asked @param {ShownRequest} shown @param {string} memo @returns {Promise<[string, string]>} */
async function payOnline(asked, { payee, amount, reference }, memo) {
  const row = await hold(
    { kind: "shown", payee, amount, memo, request_id: "", reference, request_ref: requestRef(asked) },
    refresh,
  );
  await refresh();
  return ["order", row.order_id];
}

/** Somebody who was picked, or a request that somebody sent. */
export function ConfirmOrder() {
  const failure = useSignal(/** @type {unknown} */ (null));
  const given = draft.value;
  useEffect(() => void (given || replace("pay")), [given]);
  if (!given) return null;
  const has = onlineMinor();
  const minor = given.amount.amount_minor;
  const send = async () => {
    try {
      const row = await hold(given, refresh);
      draft.value = null;
      await refresh();
      replace("order", row.order_id);
    } catch (error) {
      failure.value = error;
    }
  };
  const back = given.kind === "request" ? `request/${given.request_id}` : `send/${given.payee.username}`;
  return html`<${Screen} title=${t("confirm")} back=${back} actions=${html`
      <${Button} kind="main" name="confirm" onPress=${send} disabled=${has < minor}>${t("pay_now")}<//>`}>
    <${Facts} name=${given.payee.username} phone=${given.payee.phone_masked} minor=${minor} has=${has}
      left=${t("left_online")} />
    ${given.memo && html`<p class="lead">“${given.memo}”</p>`}
    <${Notice} icon="undo">${t("pay.undo_follows")}<//>
    ${has < minor && html`<${Notice} kind="bad">${t("code.insufficient_funds")}<//>`}
    <${Failure} error=${failure.value} />
  <//>`;
}

/**
 * @param {{ name: string, phone: string, minor: number, has: number, left: string }} props
 */
function Facts({ name, phone, minor, has, left }) {
  return html`<p class="total"><${Money} minor=${minor} /></p>
    <section class="card"><dl class="facts">
      <dt>${t("to")}</dt><dd data-name="payee">${name}</dd>
      ${phone && html`<dt>${t("phone")}</dt><dd data-name="payee-phone"><bdi dir="ltr">${phone}</bdi></dd>`}
      <dt>${t("fee")}</dt><dd><${Money} minor=${0} /></dd>
      <dt>${t("arrives")}</dt><dd><${Money} minor=${minor} /></dd>
      <dt>${left}</dt><dd><${Money} minor=${Math.max(0, has - minor)} hideable /></dd>
    </dl></section>`;
}
