// Pick the language: before there is a wallet, and in the settings. Who cannot read the language that is shown finds a
// globe, and each language by its own name.
import { LANGUAGES, language, t } from "../i18n.js";
import { chooseLanguage } from "../state.js";
import { Failure, Icon, html, useSignal } from "../ui.js";

export function LanguagePicker() {
  const failure = useSignal(/** @type {unknown} */ (null));
  const choose = async (/** @type {any} */ event) => {
    failure.value = null;
    await chooseLanguage(event.target.value).catch((error) => (failure.value = error));
    event.target.value = language.value; // still the old one if the new one could not be had
  };
  return html`<label class="language"><${Icon} name="globe" /><span class="unseen">${t("language")}</span>
      <select data-name="language" value=${language.value} onChange=${choose}>${Object.entries(LANGUAGES).map(
        ([name, own]) => html`<option key=${name} value=${name} lang=${name}>${own}</option>`,
      )}</select></label>
    <${Failure} error=${failure.value} />`;
}
