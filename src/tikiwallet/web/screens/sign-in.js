// Sign in. Money on this phone is untouched by it, and somebody else's wallet is not opened over it.
import * as api from "../api.js";
import * as proofs from "../api-proofs.js";
import { t } from "../i18n.js";
import { replace, rememberPlace } from "../router.js";
import { person, refresh } from "../state.js";
import { Button, Failure, Field, Form, Screen, html, useSignal } from "../ui.js";
import { SecondProof } from "../ui/second-proof.js";
import { syncNow } from "../wallet/autosync.js";
import { canUsePasskeys, sign } from "../wallet/passkeys.js";
import { keepSession } from "../wallet/session.js";

/** @import { Session } from "../api.js" */
/** @import { SecondProof as Given } from "../api-proofs.js" */

export function SignIn() {
  const [phone, password] = [useSignal(person.value?.phone ?? ""), useSignal("")];
  const methods = useSignal(/** @type {string[] | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  const isHere = rememberPlace();
  const take = async (/** @type {Session} */ session) => {
    await keepSession(session);
    await refresh();
    if (isHere()) replace("home");
    void syncNow();
  };
  const send = async (/** @type {Given | undefined} */ proof) => {
    try {
      await take(await api.signIn(phone.value.trim(), password.value, proof));
    } catch (error) {
      if (!(error instanceof api.Problem) || error.code !== "second_proof_required") throw error;
      methods.value = error.methods;
    }
  };
  const byPasskey = async () => {
    failure.value = null;
    try {
      await take(await proofs.signInByPasskey(await sign(await proofs.signInChallenge())));
    } catch (error) {
      failure.value = error;
    }
  };
  const passkey = canUsePasskeys() && html`<${Button} icon="lock" name="by-passkey" onPress=${byPasskey}>
      ${t("passkey.use")}<//><${Failure} error=${failure.value} />`;
  const back = person.value ? "home" : "welcome";
  if (methods.value !== null) {
    return html`<${Screen} title=${t("second_proof")} back=${back}>
      <${SecondProof} phone=${phone.value.trim()} password=${password.value} methods=${methods.value} onProof=${send} />
      ${methods.value.includes("passkey") && passkey}
    <//>`;
  }
  return html`<${Screen} title=${t("sign_in")} back=${back}>
    <${Form} onSend=${() => send(undefined)} label=${t("sign_in")} isReady=${!!(phone.value && password.value)}>
      <${Field} label=${t("phone")} signal=${phone} type="tel" autocomplete="tel" />
      <${Field} label=${t("password")} signal=${password} type="password" autocomplete="current-password" />
    <//>
    <a class="button" href="#/forgot-password">${t("forgot")}</a>
    ${passkey}
  <//>`;
}
