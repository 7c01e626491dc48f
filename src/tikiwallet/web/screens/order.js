// An online payment after "Pay" was pressed: the seconds to undo it, then what became of it.
import { Problem } from "../api.js";
import { formatCount, formatMoney, formatTime, t, tCount } from "../i18n.js";
import { unixNow, vibrate } from "../platform.js";
import { go, replace } from "../router.js";
import { currency, isSignedIn, orders, refresh } from "../state.js";
import { Button, Icon, Money, Notice, Screen, html, sentenceOf, useEffect, useSignal } from "../ui.js";
import { Proof } from "../ui/proof.js";
import { syncNow } from "../wallet/autosync.js";
import {
  HOLD_SECONDS, askWhetherTold, hold, isCountedHere, proven, repeat, sendNow, settleAbandoned, undo,
} from "../wallet/orders.js";

/** @import { Order as Row } from "../wallet/orders.js" */

const ASK_MS = 3_000;

/** @param {{ id: string }} props */
export function Order({ id }) {
  const row = orders.value.find((item) => item.order_id === id);
  const state = row?.state;
  useEffect(() => {
    if (state === "paid") vibrate("yes");
    if (state === "paid") void syncNow();
    if (state === "refused" || state === "unknown") vibrate("no");
  }, [state]);
  if (!row) return html`<${Screen} title=${t("payment")}><${Notice} kind="warn">${t("not_here")}<//><//>`;
  if (row.state === "held") return html`<${Held} row=${row} />`;
  if (row.state === "paid") return html`<${Paid} row=${row} />`;
  if (row.state === "refused" && row.code === "step_up_required") return html`<${Unproven} row=${row} />`;
  if (row.state === "sending" || row.state === "unknown") return html`<${Unknown} row=${row} />`;
  return html`<${NotPaid} row=${row} />`;
}

/** @param {{ row: Row }} props */
function Held({ row }) {
  const left = useSignal(Math.max(0, row.send_at - unixNow()));
  useEffect(() => {
    const look = () => {
      left.value = Math.max(0, row.send_at - unixNow());
      // Counted in another window of this wallet, which may be gone by now.
      if (left.value === 0 && !isCountedHere(row.order_id)) void settleAbandoned().then(refresh);
    };
    const timer = setInterval(look, 250);
    return () => clearInterval(timer);
  }, []);
  const back = async () => {
    await undo(row.order_id);
    await refresh();
  };
  const circle = 2 * Math.PI * 54;
  return html`<${Screen} title=${t("payment")} actions=${html`
      <${Button} kind="main" icon="undo" name="undo" onPress=${back}>${t("undo")}<//>
      ${isCountedHere(row.order_id) &&
      html`<${Button} name="send-now" onPress=${() => sendNow(row.order_id)}>${t("send_now")}<//>`}`}>
    <p class="lead">${t("order.paying", { name: row.payee.username })}</p>
    <p class="total"><${Money} minor=${row.amount.amount_minor} /></p>
    <div class="countdown" role="timer" aria-label=${tCount("order.seconds", left.value)}>
      <svg viewBox="0 0 120 120" aria-hidden="true"><circle cx="60" cy="60" r="54" />
        <circle class="left" cx="60" cy="60" r="54" stroke-dasharray=${circle}
          stroke-dashoffset=${circle * (1 - left.value / HOLD_SECONDS)} /></svg>
      <b data-name="seconds">${formatCount(left.value)}</b>
    </div>
    <p class="lead" role="status">${tCount("order.held", HOLD_SECONDS)}</p>
    <${Notice} icon="lock">${t("order.held.explained")}<//>
  <//>`;
}

/** Sent, and no answer yet: nothing is claimed that is not known. @param {{ row: Row }} props */
function Unknown({ row }) {
  const again = () => repeat(row.order_id, refresh);
  const isSending = row.state === "sending";
  const needsSession = !isSignedIn.value;
  useEffect(() => {
    if (isSending || needsSession) return undefined;
    const timer = setTimeout(() => void again(), ASK_MS);
    return () => clearTimeout(timer);
  });
  return html`<${Screen} title=${t("payment")} actions=${html`
      ${needsSession
        ? html`<a class="button main" href="#/sign-in">${t("sign_in")}</a>`
        : html`<${Button} kind="main" icon="sync" name="repeat" onPress=${again} disabled=${isSending}>
            ${t("try_again")}<//>`}
      <a class="button" href="#/home">${t("later")}</a>`}>
    <section class="verdict risk" data-verdict="unknown" role="status">
      <${Icon} name="clock" />
      <h2>${t(isSending && row.code === "" ? "order.sending" : "order.unknown")}</h2>
      <p class="verdict-amount"><${Money} minor=${row.amount.amount_minor} /></p>
      <p>${t("paid.to", { name: row.payee.username })}</p>
      ${row.code !== "" &&
      html`<p class="verdict-why">${t(needsSession ? "order.unknown.signed_out" : "order.unknown.why")}</p>`}
    </section>
  <//>`;
}

/** @param {{ row: Row }} props */
function Paid({ row }) {
  const isScanned = row.kind === "shown";
  const isTold = row.payee_told_at !== null;
  useEffect(() => {
    if (!isScanned || isTold) return undefined;
    const ask = () => askWhetherTold(row).then(refresh, () => undefined); // no network: asked again in a moment
    const timer = setInterval(ask, ASK_MS);
    return () => clearInterval(timer);
  }, [isTold]);
  const name = row.payee.username;
  return html`<${Screen} title=${t("payment")} actions=${html`
      <a class="button main" href="#/home">${t("done")}</a>
      <a class="button" href=${`#/payment/${row.transfer_id}`}>${t("where")}</a>`}>
    <section class="verdict final" data-verdict="paid" role="status">
      <${Icon} name="check" />
      <h2>${t("paid.received")}</h2>
      <p class="verdict-amount"><${Money} minor=${row.amount.amount_minor} /></p>
      <p>${t("paid.to", { name })}</p>
      <p class="verdict-why">${t("paid.online.why")}</p>
    </section>
    ${isScanned &&
    html`<div role="status"><${Notice} kind=${isTold ? "good" : "warn"} icon=${isTold ? "check" : "clock"}>
      <span data-name=${isTold ? "told" : "not-told"}>${t(isTold ? "order.told" : "order.not_told", { name })}</span>
    <//></div>`}
    <p class="lead">${formatTime(row.ended_at ?? row.made_at)}</p>
  <//>`;
}

/**
 * Nothing has happened yet: the same order goes again once its owner has proven to be there.
 * @param {{ row: Row }} props
 */
function Unproven({ row }) {
  return html`<${Screen} title=${t("payment")}>
    <p class="lead">${t("order.paying", { name: row.payee.username })}</p>
    <p class="total"><${Money} minor=${row.amount.amount_minor} /></p>
    <${Proof} methods=${row.methods ?? ["password"]} done=${() => proven(row.order_id, refresh)}
      stop=${() => go("home")} />
  <//>`;
}

/** Refused, undone, or not sent. @param {{ row: Row }} props */
function NotPaid({ row }) {
  const again = async () => {
    const { kind, payee, amount, memo, request_id, reference, request_ref } = row;
    const fresh = await hold({ kind, payee, amount, memo, request_id, reference, request_ref }, refresh);
    await refresh();
    replace("order", fresh.order_id);
  };
  const refusal = new Problem({ code: row.code, title: t("code.internal_error"), detail: "", status: 0 });
  const why = row.state === "refused" ? sentenceOf(refusal) : t(`order.${row.state}.why`);
  const amount = formatMoney(row.amount.amount_minor, currency.value);
  return html`<${Screen} title=${t("payment")} actions=${html`
      <a class="button main" href="#/home">${t("done")}</a>
      <${Button} name="again" onPress=${again}>${t("order.again", { amount })}<//>`}>
    <section class=${`verdict ${row.state === "refused" ? "refused" : "risk"}`} data-verdict=${row.state}
      data-code=${row.code} role="alert">
      <${Icon} name=${row.state === "undone" ? "undo" : "cross"} />
      <h2>${t(`order.${row.state}`)}</h2>
      <p>${t("paid.to", { name: row.payee.username })}</p>
      <p class="verdict-why">${why}</p>
    </section>
    <p class="lead">${formatTime(row.ended_at ?? row.made_at)}</p>
  <//>`;
}
