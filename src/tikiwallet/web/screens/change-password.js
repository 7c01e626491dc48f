// A new password for who knows the old one.
import { changePassword } from "../api-account.js";
import { t } from "../i18n.js";
import { Field, Form, Notice, Screen, html, useSignal } from "../ui.js";

export function ChangePassword() {
  const [before, after, isDone] = [useSignal(""), useSignal(""), useSignal(false)];
  const send = async () => {
    await changePassword(before.value, after.value);
    isDone.value = true;
  };
  return html`<${Screen} title=${t("password.change")} back="protection">
    ${isDone.value
      ? html`<${Notice} kind="good"><span data-name="done">${t("password.changed")}</span><//>`
      : html`<${Form} onSend=${send} label=${t("password.change")} isReady=${!!(before.value && after.value)}>
          <${Field} label=${t("password.old")} signal=${before} type="password" autocomplete="current-password" />
          <${Field} label=${t("password.new")} signal=${after} type="password" autocomplete="new-password"
            hint=${t("password.hint")} />
        <//>`}
  <//>`;
}
