// The first thing anybody sees: what this is, and two ways in.
import { t } from "../i18n.js";
import { about } from "../state.js";
import { Icon, Logo, html } from "../ui.js";
import { LanguagePicker } from "../ui/language-picker.js";

/** @type {[string, string][]} */
const PROMISES = [
  ["offline", "welcome.offline"],
  ["shield", "welcome.honest"],
  ["lock", "welcome.kept"],
];

export function Welcome() {
  return html`<div class="screen">
    <main>
      <div class="welcome">
        <${LanguagePicker} />
        <${Logo} />
        <h1>${t("welcome.title")}</h1>
        <ul class="promises">${PROMISES.map(
          ([icon, key]) => html`<li><${Icon} name=${icon} /><span>${t(key)}</span></li>`,
        )}</ul>
        ${about.value.is_demo &&
        html`<small>${t("welcome.demo")} <a href="./start.html">${t("welcome.start")}</a></small>`}
      </div>
    </main>
    <footer class="actions">
      <a class="button main" href="#/sign-up">${t("sign_up")}</a>
      <a class="button" href="#/sign-in">${t("sign_in")}</a>
    </footer>
  </div>`;
}
