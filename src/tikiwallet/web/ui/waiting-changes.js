// Loaded by home when it is shown: does a new password or phone number wait, that perhaps somebody else asked for?
import { protection } from "../api-account.js";
import { Problem, Unreachable } from "../api.js";
import { t } from "../i18n.js";
import { Notice, html, useEffect, useSignal } from "../ui.js";

export function WaitingChanges() {
  const doesWait = useSignal(false);
  useEffect(() => {
    protection().then(
      (said) => (doesWait.value = said.password !== null || said.phone !== null),
      (error) => {
        // No network, or a session that has ended: home says either of them already.
        if (!(error instanceof Unreachable || error instanceof Problem)) throw error;
      },
    );
  }, []);
  return doesWait.value
    ? html`<${Notice} kind="warn"><span data-name="waits">${t("waits.notice")}</span>${" "}
        <a href="#/protection">${t("waits.look")}</a><//>`
    : null;
}
