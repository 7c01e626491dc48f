// Where I am signed in, and how to put out who should not be.
import { endSession, sessions } from "../api.js";
import { formatTime, t } from "../i18n.js";
import { Button, Failure, Icon, Notice, Screen, html, useEffect, useSignal } from "../ui.js";

/** @import { OpenSession } from "../api.js" */

export function Sessions() {
  const items = useSignal(/** @type {OpenSession[] | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  const attempt = async (/** @type {() => Promise<unknown>} */ work) => {
    failure.value = null;
    try {
      await work();
    } catch (error) {
      failure.value = error;
    }
    await sessions().then((said) => (items.value = said.items), (error) => (failure.value ??= error));
  };
  useEffect(() => void attempt(async () => undefined), []);
  const others = (items.value ?? []).filter((item) => !item.is_current);
  const endOthers = async () => {
    for (const item of others) await endSession(item.session_id);
  };
  return html`<${Screen} title=${t("sessions")} back="settings">
    <p>${t("sessions.explained")}</p>
    <${Failure} error=${failure.value} />
    <ul class="list" data-name="sessions">${(items.value ?? []).map(
      (item) => html`<li class="row" key=${item.session_id}>
        <span class="row-icon"><${Icon} name="phone" /></span>
        <span class="row-text"><b>${item.label || t("sessions.unknown")}</b>
          <small>${item.is_current ? html`<b>${t("sessions.this")}</b>` : t("sessions.seen", {
            at: formatTime(Date.parse(item.last_seen_at) / 1000),
          })}</small></span>
        ${!item.is_current &&
        html`<${Button} name="end" onPress=${() => attempt(() => endSession(item.session_id))}>
          ${t("sessions.end")}<//>`}
      </li>`,
    )}</ul>
    ${others.length > 1 &&
    html`<${Button} kind="danger" name="end-others" onPress=${() => attempt(endOthers)}>
      ${t("sessions.end_others")}<//>`}
    ${items.value && others.length === 0 && html`<${Notice} kind="good">${t("sessions.only_this")}<//>`}
  <//>`;
}
