// How a top-up or withdrawal stands, and what the person can do about it. Who comes back from a provider's page lands
// here: the state is asked of the server, and coming back says nothing about it.
import { secondsOf } from "../activity.js";
import { operation } from "../api.js";
import { cancelOperation } from "../api-funding.js";
import { formatTime, t } from "../i18n.js";
import { operations, refresh } from "../state.js";
import { Form, Icon, Money, Notice, Screen, html, useEffect } from "../ui.js";
import { keepOperation } from "../wallet/online.js";
import { OVER } from "./top-up.js";

/** @import { Operation as Stored } from "../api.js" */

const ASK_MS = 3_000;

/** @param {{ id: string }} props */
export function Operation({ id }) {
  const item = operations.value.find((row) => row.operation_id === id);
  const isOver = item !== undefined && OVER.includes(item.state);
  useEffect(() => {
    if (isOver) return undefined;
    // One that another browser ordered isn't known here yet: only top-ups send people elsewhere and back.
    const wanted = item ?? { kind: /** @type {const} */ ("top_up"), operation_id: id };
    // No answer is no news: asked again in a moment, and with the next sync.
    const ask = () => operation(wanted).then(keepOperation).then(refresh).catch(() => undefined);
    void ask();
    const timer = setInterval(ask, ASK_MS);
    return () => clearInterval(timer);
  }, [isOver, id]);
  if (!item) return html`<${Screen} title=${t("bank")}><${Notice} kind="warn">${t("not_here")}<//><//>`;
  const word = item.state === "settled" ? "final" : isOver ? "refused" : "risk";
  const cancel = async () => {
    await keepOperation(await cancelOperation(item));
    await refresh();
  };
  return html`<${Screen} title=${t(`kind.${item.kind}`)} actions=${html`
      <a class=${`button ${item.go_to_url ? "plain" : "main"}`} href="#/home">${t("done")}</a>`}>
    <section class=${`verdict ${word}`} data-state=${item.state} role="status">
      <${Icon} name=${{ final: "check", refused: "cross", risk: "clock" }[word]} />
      <h2>${t(`operation.${item.reason || (item.go_to_url ? "requested" : item.state)}`)}</h2>
      <p class="verdict-amount"><${Money} minor=${item.amount.amount_minor} /></p>
      <p class="verdict-why">${why(item)}</p>
    </section>
    ${item.go_to_url &&
    html`<a class="button main" data-name="go-pay" href=${item.go_to_url}>${t("operation.go_pay")}</a>`}
    <section class="card"><dl class="facts">
      <dt>${t("step.ordered")}</dt><dd>${formatTime(secondsOf(item.created_at))}</dd>
      <dt>${t("operation.since")}</dt><dd>${formatTime(secondsOf(item.changed_at))}</dd>
      ${item.fee_minor > 0 && html`<dt>${t("bank.fee")}</dt><dd><${Money} minor=${item.fee_minor} /></dd>
        <dt>${t("bank.arriving")}</dt><dd><${Money} minor=${item.amount.amount_minor - item.fee_minor} /></dd>`}
      ${item.go_to_url && item.expires_at &&
      html`<dt>${t("operation.open_until")}</dt><dd>${formatTime(secondsOf(item.expires_at))}</dd>`}
      ${item.expected_by &&
      html`<dt>${t("operation.expected_by")}</dt><dd>${formatTime(secondsOf(item.expected_by))}</dd>`}
    </dl></section>
    ${item.can_be_cancelled &&
    html`<div data-name="cancel"><${Form} onSend=${cancel} tone="plain" label=${t("operation.cancel")} /></div>`}
  <//>`;
}

/** @param {Stored} item */
function why({ kind, state, reason, go_to_url }) {
  if (reason && OVER.includes(state)) return t(`operation.${reason}.${kind}`);
  return t(go_to_url ? "operation.to_pay" : `operation.${state}.${kind}`);
}
