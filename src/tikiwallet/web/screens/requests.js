// Requests for money: what others ask of me, what I asked of others, and how each stands.
import { openToMe, requestRow, secondsOf } from "../activity.js";
import { cancelRequest, declineRequest } from "../api.js";
import { formatDay, formatTime, t } from "../i18n.js";
import { go } from "../router.js";
import { draft, person, refresh, requests } from "../state.js";
import { Button, Failure, Money, Notice, Row, Screen, html, useEffect, useSignal } from "../ui.js";
import { isOnline, syncNow } from "../wallet/autosync.js";
import { keepRequest } from "../wallet/online.js";

/** @import { MoneyRequest } from "../api.js" */

export function Requests() {
  useEffect(() => void syncNow(), []);
  const mine = requests.value.filter((item) => item.state === "open" && !openToMe.value.includes(item));
  const over = requests.value.filter((item) => item.state !== "open");
  /** @type {[string, MoneyRequest[]][]} */
  const groups = [
    ["requests.to_me", openToMe.value],
    ["requests.by_me", mine],
    ["requests.over", over],
  ];
  return html`<${Screen} title=${t("requests")} actions=${html`
      <a class="button main" href="#/people">${t("requests.ask")}</a>`}>
    ${isOnline.value === false && html`<${Notice} kind="warn" icon="offline">${t("not_up_to_date")}<//>`}
    ${groups.map(([key, items]) =>
      items.length === 0
        ? null
        : html`<section key=${key}><div class="section-title"><h2>${t(key)}</h2></div>
            <ul class="list">${items
              .map(requestRow)
              .map((item) => html`<${Row} key=${item.key} ...${item} />`)}</ul></section>`,
    )}
    ${requests.value.length === 0 && html`<p class="lead">${t("requests.none")}</p>`}
  <//>`;
}

/** @param {{ id: string }} props */
export function Request({ id }) {
  const failure = useSignal(/** @type {unknown} */ (null));
  const item = requests.value.find((row) => row.request_id === id);
  if (!item) {
    return html`<${Screen} title=${t("request")} back="requests"><${Notice} kind="warn">${t("request_gone")}<//><//>`;
  }
  const isToMe = item.payer.person_id === person.value?.person_id;
  const other = isToMe ? item.payee : item.payer;
  const act = (/** @type {(id: string) => Promise<MoneyRequest>} */ action) => async () => {
    failure.value = null;
    try {
      await keepRequest(await action(id));
    } catch (error) {
      failure.value = error;
      void syncNow(); // it may stand differently by now
    }
    await refresh();
  };
  const pay = () => {
    const { amount, memo } = item;
    draft.value = { kind: "request", payee: item.payee, amount, memo, request_id: id, reference: "", request_ref: "" };
    go("confirm-order");
  };
  const isOpen = item.state === "open";
  const receiptId = item.receipt?.transfer_id;
  return html`<${Screen} title=${t("request")} back="requests" actions=${html`
      ${isOpen && isToMe && html`<${Button} kind="main" name="pay-request" onPress=${pay}>${t("pay")}<//>
        <${Button} kind="danger" name="decline" onPress=${act(declineRequest)}>${t("decline")}<//>`}
      ${isOpen && !isToMe &&
      html`<${Button} kind="danger" name="cancel" onPress=${act(cancelRequest)}>${t("cancel_request")}<//>`}
      ${receiptId && html`<a class="button main" href=${`#/payment/${receiptId}`}>${t("where")}</a>`}`}>
    <p class="total"><${Money} minor=${item.amount.amount_minor} /></p>
    <p class="lead" data-state=${item.state} role="status">${t(`request.${item.state}`)}</p>
    <section class="card"><dl class="facts">
      <dt>${t(isToMe ? "request.asks_you" : "request.you_asked")}</dt><dd>${other.username}</dd>
      <dt>${t("phone")}</dt><dd><bdi dir="ltr">${other.phone_masked}</bdi></dd>
      <dt>${t("request.asked_at")}</dt><dd>${formatTime(secondsOf(item.created_at))}</dd>
      ${isOpen && html`<dt>${t("request.open_until")}</dt><dd>${formatDay(secondsOf(item.expires_at))}</dd>`}
    </dl></section>
    ${item.memo && html`<p class="lead">“${item.memo}”</p>`}
    ${isOpen && isToMe && html`<${Notice} kind="warn">${t("request.only_if_known")}<//>`}
    <${Failure} error=${failure.value} />
  <//>`;
}

