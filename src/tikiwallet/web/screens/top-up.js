// Money in from a bank and out to it: what is ordered here. How it stands is shown by operation.js.
import { secondsOf } from "../activity.js";
import * as api from "../api-funding.js";
import { formatMoney, formatTime, t } from "../i18n.js";
import { replace, rememberPlace } from "../router.js";
import { currency, money, operations, refresh } from "../state.js";
import { AmountField, Form, Money, Notice, Row, Screen, html, minorOf, useEffect, useSignal } from "../ui.js";
import { Proof, useProof } from "../ui/proof.js";
import { syncNow } from "../wallet/autosync.js";
import { keepOperation } from "../wallet/online.js";

/** @import { Operation as Stored } from "../api.js" */

export const OVER = ["settled", "declined", "returned", "refused"];
const SHOWN = 5;

export const TopUp = () => html`<${Bank} kind="top_up" />`;
export const Withdraw = () => html`<${Bank} kind="withdrawal" />`;

/** @param {{ kind: "top_up" | "withdrawal" }} props */
function Bank({ kind }) {
  const typed = useSignal("");
  const minor = minorOf(typed);
  const isIn = kind === "top_up";
  const quote = useSignal(/** @type {api.Quote | null} */ (null));
  const provider = useProvider(isIn);
  const quoted = !isIn && minor !== null && quote.value?.amount.amount_minor === minor ? quote.value : null;
  const needsQuote = !isIn && provider.value?.hasCards && quoted === null;
  const { asked, run } = useProof();
  const isHere = rememberPlace();
  const send = async () => {
    const amount = { amount_minor: minor ?? 0, currency: currency.value.code };
    if (needsQuote) {
      quote.value = await api.quote(amount);
      return;
    }
    const order = () => (isIn ? api.topUp(amount) : api.withdraw(amount, quoted?.fee_minor ?? 0));
    const { answer, settled } = await run(order);
    await keepOperation(answer, [settled]);
    await refresh();
    if (answer.go_to_url && isHere()) {
      history.replaceState(null, "", `#/operation/${answer.operation_id}`); // who goes back sees how it stands
      location.assign(answer.go_to_url);
      return;
    }
    await syncNow();
    if (!isHere()) return;
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
    ${provider.value?.disputes.map(
      (item) => html`<${Notice} kind="warn"><span data-name="dispute">${disputeText(item)}</span><//>`,
    )}
    ${asked.value && html`<${Proof} ...${asked.value} />`}
    <div hidden=${asked.value !== null}>
      ${provider.value?.account && provider.value.account !== "ready"
        ? html`<${PayoutAccount} state=${provider.value.account} />`
        : html`<${Form} onSend=${send} isReady=${minor !== null}
              label=${t(needsQuote ? "bank.quote" : `bank.${kind}.now`)}>
            <${AmountField} label=${t("amount")} signal=${typed} />
            ${quoted && html`<dl class="facts" data-name="quote">
              <dt>${t("bank.fee")}</dt><dd><${Money} minor=${quoted.fee_minor} /></dd>
              <dt>${t("bank.arriving")}</dt><dd><${Money} minor=${quoted.arriving.amount_minor} /></dd>
            </dl>`}
          <//>`}
    </div>
    ${isIn && provider.value?.hasCards && html`<${Notice}>${t("bank.page")}<//>`}
    ${provider.value?.isDemo && html`<${Notice} kind="warn">${t(`bank.${kind}.demo`)}<//>`}
    ${before.length > 0 && html`<section><div class="section-title"><h2>${t("bank.before")}</h2></div>
      <ul class="list">${before.map(
        (item) => html`<${Row} key=${item.operation_id} ...${operationRow(item)} />`,
      )}</ul></section>`}
  <//>`;
}

/**
 * How money comes in and out here, and what stands in the way. Null until the server has said it.
 * @param {boolean} isIn
 */
function useProvider(isIn) {
  const found = useSignal(
    /** @type {{ isDemo: boolean, hasCards: boolean, account: string, disputes: api.Dispute[] } | null} */ (null),
  );
  useEffect(() => {
    const ask = async () => {
      const { is_demo: isDemo, has_cards: hasCards } = await api.funding();
      const [account, { disputes }] = hasCards
        ? await Promise.all([isIn ? "" : api.payoutAccount().then(({ state }) => state), api.disputes()])
        : ["", { disputes: [] }];
      const open = disputes.filter((item) => item.state === "open" || item.owed_minor > 0);
      found.value = { isDemo, hasCards, account, disputes: open };
    };
    ask().catch(() => undefined); // without a network nothing can be ordered anyway, and the form says so
  }, [isIn]);
  return found;
}

/** @param {api.Dispute} item */
function disputeText({ amount, owed_minor }) {
  const shown = formatMoney(amount.amount_minor, currency.value);
  if (owed_minor === 0) return t("dispute.open", { amount: shown });
  return t("dispute.owed", { amount: shown, owed: formatMoney(owed_minor, currency.value) });
}

/** @param {{ state: string }} props */
function PayoutAccount({ state }) {
  const open = async () => {
    const { go_to_url } = await api.openPayoutAccount();
    if (go_to_url) location.assign(go_to_url);
  };
  return html`<${Notice}>${t(`payout_account.${state}`)}<//>
    ${state !== "closed" && html`<${Form} onSend=${open} label=${t("payout_account.open")} />`}`;
}

/** @param {Stored} item */
function operationRow({ kind, state, reason, amount, created_at, operation_id }) {
  const isDone = state === "settled";
  return {
    icon: isDone ? "check" : OVER.includes(state) ? "cross" : "clock",
    title: t(`operation.${reason || state}`),
    detail: formatTime(secondsOf(created_at)),
    minor: kind === "top_up" ? amount.amount_minor : -amount.amount_minor,
    tone: isDone ? "" : OVER.includes(state) ? "bad" : "warn",
    to: /** @type {[string, string]} */ (["operation", operation_id]),
  };
}
