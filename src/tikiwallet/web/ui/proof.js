// Show again that it is you: asked for in place of a screen whose order the server wants a fresh proof for.
import { Problem } from "../api.js";
import * as proofs from "../api-proofs.js";
import { t } from "../i18n.js";
import { Button, Failure, Field, Form, html, useSignal } from "../ui.js";
import { canUsePasskeys, sign } from "../wallet/passkeys.js";

/** @typedef {{ methods: string[], done: () => void, stop: () => void }} Asked */

/**
 * Do what may need a proof: `run` asks for one if it does, and then does it again. While `asked` holds something, show
 * it as a `Proof`. Throws what the work throws, and the refusal if the person changes their mind.
 */
export function useProof() {
  const asked = useSignal(/** @type {Asked | null} */ (null));
  /** @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  const run = async (work) => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "step_up_required") throw error;
      const { methods } = error;
      await new Promise((done, stop) => {
        asked.value = { methods, done: () => done(undefined), stop: () => stop(error) };
      }).finally(() => (asked.value = null));
      return work();
    }
  };
  return { asked, run };
}

/** Passkey or password. @param {Asked} props */
export function Proof({ methods, done, stop }) {
  const password = useSignal("");
  const failure = useSignal(/** @type {unknown} */ (null));
  const byPasskey = async () => {
    failure.value = null;
    try {
      await proofs.prove({ passkey: await sign(await proofs.proofChallenge()) });
      done();
    } catch (error) {
      failure.value = error;
    }
  };
  const byPassword = async () => {
    await proofs.prove({ password: password.value });
    done();
  };
  return html`<section class="form" data-name="proof" aria-label=${t("proof")}>
    <h2>${t("proof")}</h2>
    <p>${t("proof.explained")}</p>
    ${methods.includes("passkey") && canUsePasskeys() &&
    html`<${Button} kind="main" icon="lock" name="by-passkey" onPress=${byPasskey}>${t("passkey.use")}<//>
      <${Failure} error=${failure.value} />`}
    ${methods.includes("password") &&
    html`<${Form} onSend=${byPassword} label=${t("proof.by_password")} isReady=${password.value !== ""}>
      <${Field} label=${t("password")} signal=${password} type="password" autocomplete="current-password" />
    <//>`}
    <${Button} name="stop" onPress=${stop}>${t("proof.stop")}<//>
  </section>`;
}
