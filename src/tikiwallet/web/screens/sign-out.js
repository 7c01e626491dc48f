// Signing out: what the operator has not seen goes first if it can, and what can't stays here, with the keys.
import { formatMoney, t } from "../i18n.js";
import { go, rememberPlace } from "../router.js";
import { currency, offlineMinor, refresh, unseen } from "../state.js";
import { Button, Notice, Screen, html } from "../ui.js";
import { syncNow } from "../wallet/autosync.js";
import { signOut } from "../wallet/session.js";

export function SignOut() {
  const waiting = unseen.value.length;
  const isHere = rememberPlace();
  const leave = async () => {
    await signOut();
    await refresh();
    if (isHere()) go("sign-in");
  };
  const bringFirst = async () => {
    await syncNow();
    if (unseen.value.length === 0) await leave();
  };
  return html`<${Screen} title=${t("sign_out")} back="settings" actions=${html`
      ${waiting > 0 &&
      html`<${Button} kind="main" name="bring-first" onPress=${bringFirst}>${t("sign_out.bring_first")}<//>`}
      <${Button} kind="danger" name="sign-out" onPress=${leave}>${t("sign_out")}<//>`}>
    <p>${t("sign_out.explained")}</p>
    <section class="card"><dl class="facts">
      <dt>${t("sync.waiting")}</dt><dd data-name="unseen">${waiting}</dd>
      <dt>${t("offline")}</dt><dd>${formatMoney(offlineMinor.value, currency.value)}</dd>
    </dl></section>
    ${waiting > 0 && html`<${Notice} kind="warn">${t("sign_out.waiting")}<//>`}
    <${Notice}>${t("sign_out.same_person")}<//>
  <//>`;
}
