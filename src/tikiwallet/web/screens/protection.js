// How I sign in: change it, see what waits, say no to it.
import { cancelWaiting, protection } from "../api-account.js";
import { formatTime, t } from "../i18n.js";
import { Button, Failure, Icon, Notice, Screen, html, useEffect, useSignal } from "../ui.js";

/** @import { Protection as Answer } from "../api-account.js" */

/** @type {[string, string, string][]} */
const WAYS = [
  ["change-password", "lock", "password.change"],
  ["change-phone", "phone", "phone.change"],
];

export function Protection() {
  const said = useSignal(/** @type {Answer | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  const attempt = async (/** @type {() => Promise<unknown>} */ work) => {
    failure.value = null;
    try {
      await work();
    } catch (error) {
      failure.value = error;
    }
    await protection().then((found) => (said.value = found), (error) => (failure.value ??= error));
  };
  useEffect(() => void attempt(async () => undefined), []);
  const at = (/** @type {string} */ text) => formatTime(Date.parse(text) / 1000);
  const { password, phone, outgoing_capped_until: cappedUntil } = said.value ?? {};
  return html`<${Screen} title=${t("protection")} back="settings">
    <${Failure} error=${failure.value} />
    ${cappedUntil &&
    html`<${Notice} icon="lock"><span data-name="capped">${t("capped", { at: at(cappedUntil) })}</span><//>`}
    ${password &&
    html`<${Notice} kind="warn"><p data-name="password-waits">${t("password.waits", { at: at(password.effective_at) })}
      ${" "}${t("waits.not_me")}</p>
      <${Button} kind="danger" name="keep-password" onPress=${() => attempt(() => cancelWaiting("password"))}>
        ${t("password.keep")}<//><//>`}
    ${phone &&
    html`<${Notice} kind="warn"><p data-name="phone-waits">
      ${t("phone.waits", { phone: phone.phone_masked, at: at(phone.effective_at) })} ${t("waits.not_me")}</p>
      <${Button} kind="danger" name="keep-phone" onPress=${() => attempt(() => cancelWaiting("phone"))}>
        ${t("phone.keep")}<//><//>`}
    <ul class="list">${WAYS.map(
      ([name, icon, key]) => html`<li key=${name}><a class="row" href=${`#/${name}`}>
        <span class="row-icon"><${Icon} name=${icon} /></span><span class="row-text"><b>${t(key)}</b></span></a></li>`,
    )}</ul>
    ${said.value && !password && !phone && html`<p class="lead">${t("waits.nothing")}</p>`}
  <//>`;
}
