// A lost password: a code to the phone, and a new password that works a day later.
import { askForReset, proveReset } from "../api-account.js";
import { formatTime, t } from "../i18n.js";
import { person } from "../state.js";
import { Field, Form, Notice, Screen, html, useSignal } from "../ui.js";

export function ForgotPassword() {
  const [phone, code, password] = [useSignal(person.value?.phone ?? ""), useSignal(""), useSignal("")];
  const resetId = useSignal("");
  const worksAt = useSignal("");
  const ask = async () => {
    resetId.value = (await askForReset(phone.value.trim())).reset_id;
  };
  const prove = async () => {
    worksAt.value = (await proveReset(resetId.value, code.value.trim(), password.value)).effective_at;
  };
  return html`<${Screen} title=${t("forgot")} back="sign-in">
    ${worksAt.value &&
    html`<${Notice} kind="good"><span data-name="works-at">${t("forgot.done", {
      at: formatTime(Date.parse(worksAt.value) / 1000),
    })}</span><//>`}
    ${!resetId.value &&
    html`<p>${t("forgot.explained")}</p>
      <${Form} key="ask" onSend=${ask} label=${t("forgot.send")} isReady=${phone.value !== ""}>
        <${Field} label=${t("phone")} signal=${phone} type="tel" autocomplete="tel" hint=${t("phone.hint")} />
      <//>`}
    ${resetId.value &&
    !worksAt.value &&
    html`<p>${t("code.explained")}</p>
      <${Form} key="prove" onSend=${prove} label=${t("continue")}
        isReady=${/^\s*\d{6}\s*$/.test(code.value) && password.value !== ""}>
        <${Field} label=${t("code")} signal=${code} inputmode="numeric" autocomplete="one-time-code" maxlength=${8} />
        <${Field} label=${t("password.new")} signal=${password} type="password" autocomplete="new-password"
          hint=${t("password.hint")} />
      <//>`}
  <//>`;
}
