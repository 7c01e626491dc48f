// Passkeys: which ones open this wallet; add one, name one, remove one.
import * as proofs from "../api-proofs.js";
import { formatDay, t } from "../i18n.js";
import { phoneName } from "../platform.js";
import { person } from "../state.js";
import { Button, Failure, Field, Form, Icon, Notice, Screen, html, useEffect, useSignal } from "../ui.js";
import { Proof, useProof } from "../ui/proof.js";
import { canUsePasskeys, make } from "../wallet/passkeys.js";

/** @import { Passkey } from "../api-proofs.js" */

/** @param {string} instant RFC 3339 */
const day = (instant) => formatDay(Date.parse(instant) / 1000);

export function Passkeys() {
  const items = useSignal(/** @type {Passkey[] | null} */ (null));
  const chosen = useSignal(/** @type {Passkey | null} */ (null));
  const failure = useSignal(/** @type {unknown} */ (null));
  const { asked, run } = useProof();
  const attempt = async (/** @type {() => Promise<unknown>} */ work) => {
    failure.value = null;
    try {
      await run(work);
    } catch (error) {
      failure.value = error;
    }
    await proofs.passkeys().then((said) => (items.value = said.items), (error) => (failure.value ??= error));
  };
  useEffect(() => void attempt(async () => undefined), []);
  const owner = person.value;
  const add = async () => {
    const challenge = await proofs.newPasskeyChallenge();
    if (owner) await proofs.addPasskey(phoneName(), await make(challenge, owner));
  };
  if (asked.value) return html`<${Screen} title=${t("passkeys")} back="settings"><${Proof} ...${asked.value} /><//>`;
  const one = chosen.value;
  if (one) {
    return html`<${One} passkey=${one} onDone=${async (/** @type {() => Promise<unknown>} */ work) => {
      chosen.value = null;
      await attempt(work);
    }} />`;
  }
  return html`<${Screen} title=${t("passkeys")} back="settings" actions=${
    canUsePasskeys() &&
    html`<${Button} kind="main" icon="lock" name="add" onPress=${() => attempt(add)}>${t("passkeys.add")}<//>`}>
    <p>${t("passkeys.explained")}</p>
    <${Failure} error=${failure.value} />
    <ul class="list" data-name="passkeys">${(items.value ?? []).map(
      (item) => html`<li key=${item.passkey_id}><button type="button" class="row"
        onClick=${() => (chosen.value = item)}>
        <span class="row-icon"><${Icon} name="lock" /></span>
        <span class="row-text"><b>${item.name}</b><small>${item.last_used_at
          ? t("passkeys.used", { date: day(item.last_used_at) })
          : t("passkeys.made", { date: day(item.created_at) })}</small></span></button></li>`,
    )}</ul>
    ${items.value?.length === 0 && html`<${Notice}>${t("passkeys.none")}<//>`}
    ${!canUsePasskeys() && html`<${Notice} kind="warn">${t("passkeys.not_here")}<//>`}
  <//>`;
}

/** @param {{ passkey: Passkey, onDone: (work: () => Promise<unknown>) => Promise<void> }} props */
function One({ passkey, onDone }) {
  const name = useSignal(passkey.name);
  const rename = () => onDone(() => proofs.renamePasskey(passkey.passkey_id, name.value.trim()));
  const remove = () => onDone(() => proofs.removePasskey(passkey.passkey_id));
  return html`<${Screen} title=${passkey.name} back="settings" actions=${
    html`<${Button} kind="danger" name="remove" onPress=${remove}>${t("passkeys.remove")}<//>`}>
    <${Form} onSend=${rename} label=${t("passkeys.rename")} isReady=${name.value.trim() !== ""}>
      <${Field} label=${t("passkeys.name")} signal=${name} autocomplete="off" maxlength=${40} />
    <//>
    <${Notice}>${t("passkeys.remove.explained")}<//>
  <//>`;
}
