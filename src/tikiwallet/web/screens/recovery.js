// Recovery codes: how many are left, and new ones, shown once, to be printed or copied by hand.
import * as proofs from "../api-proofs.js";
import { formatDay, t, tCount } from "../i18n.js";
import { printPage } from "../platform.js";
import { person } from "../state.js";
import { Button, Failure, Notice, Screen, html, useEffect, useSignal } from "../ui.js";
import { Proof, useProof } from "../ui/proof.js";

export function Recovery() {
  const told = useSignal(/** @type {{ left: number, made_at: string | null } | null} */ (null));
  const codes = useSignal(/** @type {string[]} */ ([]));
  const failure = useSignal(/** @type {unknown} */ (null));
  const { asked, run } = useProof();
  const look = () =>
    proofs.recoveryCodesLeft().then((said) => (told.value = said), (error) => (failure.value ??= error));
  useEffect(() => void look(), []);
  const renew = async () => {
    failure.value = null;
    try {
      codes.value = (await run(proofs.makeRecoveryCodes)).codes;
    } catch (error) {
      failure.value = error;
    }
    await look();
  };
  if (asked.value) {
    return html`<${Screen} title=${t("recovery")} back="settings"><${Proof} ...${asked.value} /><//>`;
  }
  if (codes.value.length > 0) {
    return html`<${Screen} title=${t("recovery")} back="settings" actions=${
      html`<${Button} kind="main" name="print" onPress=${printPage}>${t("recovery.print")}<//>
        <a class="button" href="#/settings">${t("recovery.kept")}</a>`}>
      <p><b>${person.value?.username}</b> · ${t("recovery.once")}</p>
      <ol class="card codes" data-name="codes">
        ${codes.value.map((code) => html`<li><code dir="ltr">${code}</code></li>`)}</ol>
      <${Notice} kind="warn">${t("recovery.where")}<//>
    <//>`;
  }
  const { left, made_at: madeAt } = told.value ?? { left: 0, made_at: null };
  return html`<${Screen} title=${t("recovery")} back="settings" actions=${
    html`<${Button} kind="main" name="make" onPress=${renew}>
      ${t(madeAt ? "recovery.renew" : "recovery.make")}<//>`}>
    <p>${t("recovery.explained")}</p>
    <${Failure} error=${failure.value} />
    ${told.value && html`<${Notice} kind=${left > 2 ? "good" : "warn"}><span data-name="left">${
      tCount("recovery.left", left)}</span>${
      madeAt && html` · ${t("passkeys.made", { date: formatDay(Date.parse(madeAt) / 1000) })}`}<//>`}
    ${madeAt && html`<p>${t("recovery.renew.explained")}</p>`}
  <//>`;
}
