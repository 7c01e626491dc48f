// Sign in. Money on this phone is untouched by it, and somebody else's wallet is not opened over it.
import { signIn } from "../api.js";
import { t } from "../i18n.js";
import { replace } from "../router.js";
import { person, refresh } from "../state.js";
import { Field, Form, Screen, html, useSignal } from "../ui.js";
import { syncNow } from "../wallet/autosync.js";
import { keepSession } from "../wallet/session.js";

export function SignIn() {
  const [phone, password] = [useSignal(person.value?.phone ?? ""), useSignal("")];
  const send = async () => {
    await keepSession(await signIn(phone.value.trim(), password.value));
    await refresh();
    replace("home");
    void syncNow();
  };
  return html`<${Screen} title=${t("sign_in")} back=${person.value ? "home" : "welcome"}>
    <${Form} onSend=${send} label=${t("sign_in")} isReady=${!!(phone.value && password.value)}>
      <${Field} label=${t("phone")} signal=${phone} type="tel" autocomplete="tel" />
      <${Field} label=${t("password")} signal=${password} type="password" autocomplete="current-password" />
    <//>
    <a class="button" href="#/forgot-password">${t("forgot")}</a>
  <//>`;
}
