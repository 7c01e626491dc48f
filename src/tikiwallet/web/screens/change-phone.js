// Another phone number: the password first, then the codes of both phones, or the new one's and a day of waiting.
import { movePhone, provePhone } from "../api-account.js";
import { prove } from "../api-proofs.js";
import { formatTime, t } from "../i18n.js";
import { person, refresh } from "../state.js";
import { remember, write } from "../store.js";
import { Field, Form, Notice, Screen, html, useSignal } from "../ui.js";

const SIX = /^\s*\d{6}\s*$/;

export function ChangePhone() {
  const [phone, password, changeId] = [useSignal(""), useSignal(""), useSignal("")];
  const [newCode, oldCode, doneAt] = [useSignal(""), useSignal(""), useSignal("")];
  const begin = async () => {
    await prove({ password: password.value });
    changeId.value = (await movePhone(phone.value.trim())).change_id;
  };
  const finish = async () => {
    const { effective_at: at } = await provePhone(changeId.value, newCode.value.trim(), oldCode.value.trim());
    if (oldCode.value.trim() && person.value) {
      await write([remember("person", { ...person.value, phone: phone.value.trim() })]);
      await refresh();
    }
    doneAt.value = at;
  };
  const at = () => formatTime(Date.parse(doneAt.value) / 1000);
  return html`<${Screen} title=${t("phone.change")} back="protection">
    ${doneAt.value &&
    html`<${Notice} kind="good"><span data-name="done">${oldCode.value
      ? t("phone.changed")
      : t("phone.waits", { phone: phone.value, at: at() })}</span><//>`}
    ${!changeId.value &&
    html`<${Form} key="begin" onSend=${begin} label=${t("forgot.send")} isReady=${!!(phone.value && password.value)}>
        <${Field} label=${t("phone.new")} signal=${phone} type="tel" autocomplete="tel" hint=${t("phone.hint")} />
        <${Field} label=${t("password")} signal=${password} type="password" autocomplete="current-password" />
      <//>`}
    ${changeId.value &&
    !doneAt.value &&
    html`<p>${t("phone.codes_sent")}</p>
      <${Form} key="finish" onSend=${finish} label=${t("phone.change")}
        isReady=${SIX.test(newCode.value) && (!oldCode.value.trim() || SIX.test(oldCode.value))}>
        <${Field} label=${t("phone.code_new")} signal=${newCode} inputmode="numeric" autocomplete="one-time-code"
          maxlength=${8} />
        <${Field} label=${t("phone.code_old")} signal=${oldCode} inputmode="numeric" autocomplete="off"
          maxlength=${8} />
      <//>`}
  <//>`;
}
