// What happened: this phone's own payments, and the movements of the online balance as the server tells them.
import { history } from "../api.js";
import { activities } from "../activity.js";
import { formatTime, hasText, t } from "../i18n.js";
import { Button, Failure, Row, Screen, html, useEffect, useSignal } from "../ui.js";

/** @import { HistoryItem } from "../api.js" */

/** @param {HistoryItem} item */
function rowOf({ transfer_id, kind, direction, amount, counterparty, memo, at }) {
  const name = typeof counterparty === "string" ? "" : counterparty.username;
  const key = name ? (direction === "in" ? "activity.received" : "activity.paid") : `kind.${kind}`;
  return {
    key: transfer_id,
    icon: direction === "in" ? "receive" : "pay",
    title: hasText(key) ? t(key, { name }) : kind,
    detail: [formatTime(Date.parse(at) / 1000), memo].filter(Boolean).join(" · "),
    minor: direction === "in" ? amount.amount_minor : -amount.amount_minor,
  };
}

export function History() {
  const items = useSignal(/** @type {HistoryItem[]} */ ([]));
  const cursor = useSignal(/** @type {string | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  const more = async () => {
    try {
      const page = await history(cursor.value);
      items.value = [...items.value, ...page.items];
      cursor.value = page.next_cursor;
      failure.value = null;
    } catch (error) {
      failure.value = error;
    }
  };
  useEffect(() => void more(), []);
  return html`<${Screen} title=${t("history")}>
    <section><div class="section-title"><h2>${t("history.phone")}</h2></div>
      ${activities.value.length > 0
        ? html`<ul class="list">${activities.value.map((item) => html`<${Row} key=${item.key} ...${item} />`)}</ul>`
        : html`<p class="lead">${t("nothing_yet")}</p>`}</section>
    <section><div class="section-title"><h2>${t("history.online")}</h2></div>
      <${Failure} error=${failure.value} />
      ${items.value.length > 0 &&
      html`<ul class="list">${items.value.map(rowOf).map((item) => html`<${Row} key=${item.key} ...${item} />`)}</ul>`}
      ${cursor.value && html`<${Button} onPress=${more}>${t("more")}<//>`}</section>
  <//>`;
}
