// Where I am signed in, what I should know about it, and how to put out who should not be.
import { dismissNotice, endOtherSessions, endSession, notices as fetchNotices, sessions } from "../api.js";
import { formatTime, t } from "../i18n.js";
import { refresh } from "../state.js";
import { remember, write } from "../store.js";
import { Button, Failure, Icon, Notice, Screen, html, useEffect, useSignal } from "../ui.js";

/** @import { OpenSession, SecurityNotice } from "../api.js" */

/** @param {string} instant RFC 3339 */
const at = (instant) => formatTime(Date.parse(instant) / 1000);

export function Sessions() {
  const items = useSignal(/** @type {OpenSession[] | null} */ (null));
  const told = useSignal(/** @type {SecurityNotice[]} */ ([]));
  const failure = useSignal(/** @type {unknown} */ (null));
  const look = async () => {
    items.value = (await sessions()).items;
    told.value = (await fetchNotices()).items;
    await write([remember("notices", told.value)]);
    await refresh();
  };
  const attempt = async (/** @type {() => Promise<unknown>} */ work) => {
    failure.value = null;
    try {
      await work();
    } catch (error) {
      failure.value = error;
    }
    await look().catch((error) => (failure.value ??= error));
  };
  useEffect(() => void attempt(async () => undefined), []);
  const others = (items.value ?? []).filter((item) => !item.is_current);
  return html`<${Screen} title=${t("sessions")} back="settings">
    <p>${t("sessions.explained")}</p>
    <${Failure} error=${failure.value} />
    ${told.value.map((item) => html`<${Told} key=${item.notice_id} item=${item} attempt=${attempt}
      isOpen=${others.some((other) => other.session_id === item.session_id)} />`)}
    <ul class="list" data-name="sessions">${(items.value ?? []).map(
      (item) => html`<li class="row" key=${item.session_id}>
        <span class="row-icon"><${Icon} name="phone" /></span>
        <span class="row-text"><b>${item.label || t("sessions.unknown")}</b>
          <small>${item.is_current ? html`<b>${t("sessions.this")}</b>` : t("sessions.seen", {
            at: at(item.last_seen_at),
          })}</small></span>
        ${!item.is_current &&
        html`<${Button} name="end" onPress=${() => attempt(() => endSession(item.session_id))}>
          ${t("sessions.end")}<//>`}
      </li>`,
    )}</ul>
    ${others.length > 1 &&
    html`<${Button} kind="danger" name="end-others" onPress=${() => attempt(endOtherSessions)}>
      ${t("sessions.end_others")}<//>`}
    ${items.value && others.length === 0 && html`<${Notice} kind="good">${t("sessions.only_this")}<//>`}
  <//>`;
}

/**
 * A notice, with what can be done about it.
 * @param {{ item: SecurityNotice, isOpen: boolean, attempt: (work: () => Promise<unknown>) => Promise<void> }} props
 */
function Told({ item, isOpen, attempt }) {
  const dismiss = () => dismissNotice(item.notice_id);
  const end = async () => {
    await endSession(item.session_id);
    await dismiss();
  };
  const label = item.label || t("sessions.unknown");
  const key = item.kind === "session_copied" ? "notices.session_copied" : "notices.new_device";
  return html`<section class="card" data-name="notice" data-kind=${item.kind}>
    <${Notice} kind="warn">${t(key, { label, at: at(item.noticed_at) })}<//>
    <div class="chips">
      ${isOpen && html`<${Button} kind="danger" name="not-me" onPress=${() => attempt(end)}>${t("notices.not_me")}<//>`}
      <${Button} name="was-me" onPress=${() => attempt(dismiss)}>
        ${t(item.kind === "session_copied" ? "notices.understood" : "notices.was_me")}<//>
    </div>
  </section>`;
}
