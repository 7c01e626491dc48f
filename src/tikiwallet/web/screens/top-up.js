// Money in from a bank and out to it, and how each such operation stands.
import { secondsOf } from "../activity.js";
import * as api from "../api.js";
import { formatTime, t } from "../i18n.js";
import { replace } from "../router.js";
import { about, currency, money, operations, refresh } from "../state.js";
import { AmountField, Form, Icon, Money, Notice, Row, Screen, html, minorOf, useEffect, useSignal } from "../ui.js";
import { Proof, useProof } from "../ui/proof.js";
import { syncNow } from "../wallet/autosync.js";
import { keepOperation } from "../wallet/online.js";

/** @import { Operation as Stored } from "../api.js" */

const OVER = ["settled", "declined", "returned", "refused"];
const ASK_MS = 3_000;
const SHOWN = 5;

export const TopUp = () => html`<${Bank} kind="top_up" />`;
export const Withdraw = () => html`<${Bank} kind="withdrawal" />`;

/** @param {{ kind: "top_up" | "withdrawal" }} props */
function Bank({ kind }) {
  const typed = useSignal("");
  const minor = minorOf(typed);
  const isIn = kind === "top_up";
  const { asked, run } = useProof();
  const send = async () => {
    const order = isIn ? api.topUp : api.withdraw;
    const amount = { amount_minor: minor ?? 0, currency: currency.value.code };
    const { answer, settled } = await run(() => order(amount));
    await keepOperation(answer, [settled]);
    await refresh();
    await syncNow();
    if (isIn && answer.state === "settled") replace("home");
    else replace("operation", answer.operation_id);
  };
  const before = operations.value.filter((item) => item.kind === kind).slice(0, SHOWN);
  return html`<${Screen} title=${t("bank")}>
    <nav class="side-by-side" aria-label=${t("direction")}>
      ${[["top-up", "top_up"], ["withdraw", "withdrawal"]].map(
        ([to, way]) => html`<a class=${`button ${kind === way ? "main" : "plain"}`} href=${`#/${to}`}
          aria-current=${kind === way ? "page" : undefined}>${t(`bank.${way}`)}</a>`,
      )}
    </nav>
    <section class="card"><dl class="facts"><dt>${t("online")}</dt>
      <dd><${Money} minor=${money.value?.online[0]?.amount_minor ?? 0} hideable /></dd></dl></section>
    ${asked.value && html`<${Proof} ...${asked.value} />`}
    <div hidden=${asked.value !== null}>
      <${Form} onSend=${send} label=${t(`bank.${kind}.now`)} isReady=${minor !== null}>
        <${AmountField} label=${t("amount")} signal=${typed} />
      <//>
    </div>
    ${about.value.is_demo && html`<${Notice} kind="warn">${t(`bank.${kind}.demo`)}<//>`}
    ${before.length > 0 && html`<section><div class="section-title"><h2>${t("bank.before")}</h2></div>
      <ul class="list">${before.map(
        (item) => html`<${Row} key=${item.operation_id} ...${operationRow(item)} />`,
      )}</ul></section>`}
  <//>`;
}

/** @param {Stored} item */
function operationRow({ kind, state, amount, created_at, operation_id }) {
  const isDone = state === "settled";
  return {
    icon: isDone ? "check" : OVER.includes(state) ? "cross" : "clock",
    title: t(`operation.${state}`),
    detail: formatTime(secondsOf(created_at)),
    minor: kind === "top_up" ? amount.amount_minor : -amount.amount_minor,
    tone: isDone ? "" : OVER.includes(state) ? "bad" : "warn",
    to: /** @type {[string, string]} */ (["operation", operation_id]),
  };
}

/** How a top-up or withdrawal stands; asked again until it is over. @param {{ id: string }} props */
export function Operation({ id }) {
  const item = operations.value.find((row) => row.operation_id === id);
  const isOver = item === undefined || OVER.includes(item.state);
  useEffect(() => {
    if (!item || isOver) return undefined;
    // No answer is no news: asked again in a moment, and with the next sync.
    const ask = () => api.operation(item).then(keepOperation).then(refresh, () => undefined);
    const timer = setInterval(ask, ASK_MS);
    return () => clearInterval(timer);
  }, [isOver]);
  if (!item) return html`<${Screen} title=${t("bank")}><${Notice} kind="warn">${t("not_here")}<//><//>`;
  const word = item.state === "settled" ? "final" : isOver ? "refused" : "risk";
  return html`<${Screen} title=${t(`kind.${item.kind}`)} actions=${html`
      <a class="button main" href="#/home">${t("done")}</a>`}>
    <section class=${`verdict ${word}`} data-state=${item.state} role="status">
      <${Icon} name=${{ final: "check", refused: "cross", risk: "clock" }[word]} />
      <h2>${t(`operation.${item.state}`)}</h2>
      <p class="verdict-amount"><${Money} minor=${item.amount.amount_minor} /></p>
      <p class="verdict-why">${t(`operation.${item.state}.${item.kind}`)}</p>
    </section>
    <section class="card"><dl class="facts">
      <dt>${t("step.ordered")}</dt><dd>${formatTime(secondsOf(item.created_at))}</dd>
      <dt>${t("operation.since")}</dt><dd>${formatTime(secondsOf(item.changed_at))}</dd>
    </dl></section>
  <//>`;
}
