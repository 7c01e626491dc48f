// The second proof of a sign-in on a phone where its owner has not signed in before.
import * as proofs from "../api-proofs.js";
import { t } from "../i18n.js";
import { Button, Failure, Field, Form, Notice, html, useSignal } from "../ui.js";

/** @import { SecondProof as Given, TextSent } from "../api-proofs.js" */

/**
 * A code from a text message, or a recovery code. (By passkey one signs in without a password.)
 * @param {{ phone: string, password: string, methods: string[], onProof: (proof: Given) => Promise<unknown> }} props
 */
export function SecondProof({ phone, password, methods, onProof }) {
  const sent = useSignal(/** @type {TextSent | null} */ (null));
  const [code, paper] = [useSignal(""), useSignal("")];
  const failure = useSignal(/** @type {unknown} */ (null));
  const send = async () => {
    failure.value = null;
    try {
      sent.value = await proofs.sendSignInText(phone, password);
    } catch (error) {
      failure.value = error;
    }
  };
  const byText = () =>
    onProof({ text_message: { request_id: sent.value?.request_id ?? "", code: code.value } });
  return html`<${Notice} kind="warn" icon="lock">${t("second_proof.explained")}<//>
    ${sent.value
      ? html`<p role="status">${t("second_proof.sent", { phone: sent.value.phone_masked })}</p>
        <${Form} onSend=${byText} label=${t("sign_in")} isReady=${/^\d{6}$/.test(code.value)}>
          <${Field} label=${t("code")} signal=${code} inputmode="numeric" autocomplete="one-time-code" maxlength=${6} />
        <//>`
      : ""}
    <${Button} kind=${sent.value ? "plain" : "main"} name="text-message" onPress=${send}>
      ${t(sent.value ? "code.again" : "second_proof.send")}<//>
    <${Failure} error=${failure.value} />
    ${methods.includes("recovery_code") &&
    html`<${Form} onSend=${() => onProof({ recovery_code: paper.value })} label=${t("second_proof.by_paper")}
      isReady=${paper.value.trim() !== ""}>
      <${Field} label=${t("recovery.a_code")} signal=${paper} autocomplete="off" />
    <//>`}`;
}
