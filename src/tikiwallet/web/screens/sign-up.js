// Sign up: phone, name and password, then the code from the text message. The second step survives a reload.
import { register, sendFreshCode, verifyPhone } from "../api.js";
import { t } from "../i18n.js";
import { go, replace, rememberPlace } from "../router.js";
import { person, refresh } from "../state.js";
import { Button, Field, Form, Notice, Screen, html, useSignal } from "../ui.js";
import { syncNow } from "../wallet/autosync.js";
import { keepSession } from "../wallet/session.js";

export function SignUp() {
  const [phone, username, password] = [useSignal(""), useSignal(""), useSignal("")];
  const isHere = rememberPlace();
  const send = async () => {
    const order = { phone: phone.value.trim(), username: username.value.trim(), password: password.value };
    const { registration_id: id } = await register(order);
    if (isHere()) go("code", id);
  };
  if (person.value) {
    return html`<${Screen} title=${t("sign_up")}><${Notice} kind="warn">${t("code.wallet_of_another")}<//><//>`;
  }
  return html`<${Screen} title=${t("sign_up")} back="welcome">
    <${Form} onSend=${send} label=${t("continue")} isReady=${!!(phone.value && username.value && password.value)}>
      <${Field} label=${t("phone")} signal=${phone} type="tel" autocomplete="tel" hint=${t("phone.hint")} />
      <${Field} label=${t("username")} signal=${username} autocomplete="username" maxlength=${30}
        hint=${t("username.hint")} />
      <${Field} label=${t("password")} signal=${password} type="password" autocomplete="new-password"
        hint=${t("password.hint")} />
    <//>
  <//>`;
}

/** @param {{ id: string }} props the registration */
export function Code({ id }) {
  const code = useSignal("");
  const isSentAgain = useSignal(false);
  const isHere = rememberPlace();
  const send = async () => {
    await keepSession(await verifyPhone(id, code.value.trim()));
    await refresh();
    if (isHere()) replace("home");
    void syncNow();
  };
  const again = async () => {
    await sendFreshCode(id);
    isSentAgain.value = true;
  };
  return html`<${Screen} title=${t("code")} back="sign-up">
    <p>${t("code.explained")}</p>
    <${Form} onSend=${send} label=${t("open_wallet")} isReady=${/^\s*\d{6}\s*$/.test(code.value)}>
      <${Field} label=${t("code")} signal=${code} inputmode="numeric" autocomplete="one-time-code" maxlength=${8}
        autofocus />
    <//>
    <${Button} onPress=${again}>${t("code.again")}<//>
    ${isSentAgain.value && html`<${Notice} kind="good">${t("code.sent")}<//>`}
  <//>`;
}
