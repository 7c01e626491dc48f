// Settings: who this wallet is of, how it speaks, its locks and lists, signing out.
import { formatTime, t } from "../i18n.js";
import { choose, hasPin, hasSound, isSignedIn, isSpoken, isStorageKept, person } from "../state.js";
import { Icon, Screen, Switch, html } from "../ui.js";
import { LanguagePicker } from "../ui/language-picker.js";
import { syncState } from "../wallet/autosync.js";

/**
 * Name of the screen and key of its name, icon, and what is said below the name.
 * @type {[string, string, () => string][]}
 */
const PLACES = [
  ["phones", "phone", () => t("phones.hint")],
  ["account", "people", () => t("account.hint")],
  ["sessions", "list", () => t("sessions.hint")],
  ["protection", "lock", () => t("protection.hint")],
  ["passkeys", "lock", () => t("passkeys.hint")],
  ["recovery", "list", () => t("recovery.hint")],
  ["pin", "lock", () => t(hasPin.value ? "pin.is_set" : "off")],
  ["export", "share", () => t("export.hint")],
  ["storage", "picture", () => t(isStorageKept.value ? "storage.kept" : "storage.not_kept")],
  ["help", "help", () => t("help.hint")],
];

export function Settings() {
  const { ended_at: endedAt } = syncState.value;
  return html`<${Screen} title=${t("settings")}>
    <section class="card"><dl class="facts">
      <dt>${t("username")}</dt><dd>${person.value?.username}</dd>
      <dt>${t("phone")}</dt><dd><bdi dir="ltr">${person.value?.phone}</bdi></dd>
      <dt>${t("sync.last")}</dt><dd>${endedAt ? formatTime(endedAt) : t("never")}</dd>
    </dl></section>
    <section class="card"><h2>${t("language")}</h2><${LanguagePicker} /></section>
    <ul class="list">${PLACES.map(
      ([name, icon, detail]) => html`<li key=${name}><a class="row" href=${`#/${name}`}>
        <span class="row-icon"><${Icon} name=${icon} /></span>
        <span class="row-text"><b>${t(name)}</b><small>${detail()}</small></span></a></li>`,
    )}</ul>
    <section class="card">
      <${Switch} label=${t("spoken")} hint=${t("spoken.hint")} name="spoken" isOn=${isSpoken.value}
        onChange=${(/** @type {boolean} */ isOn) => choose("is_spoken", isOn)} />
      <${Switch} label=${t("sound")} hint=${t("sound.hint")} name="sound" isOn=${hasSound.value}
        onChange=${(/** @type {boolean} */ isOn) => choose("has_sound", isOn)} />
    </section>
    ${isSignedIn.value
      ? html`<a class="button danger" href="#/sign-out">${t("sign_out")}</a>`
      : html`<a class="button main" href="#/sign-in">${t("sign_in")}</a>`}
  <//>`;
}
