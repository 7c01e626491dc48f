// Settings: who this wallet is of, what the phone keeps, signing out.
import { formatTime, t } from "../i18n.js";
import { keepStorage, storageBytes } from "../platform.js";
import { go } from "../router.js";
import { isSignedIn, isStorageKept, offlineMinor, person, refresh, unseen } from "../state.js";
import { Button, Money, Notice, Screen, html, useEffect, useSignal } from "../ui.js";
import { LanguagePicker } from "../ui/language-picker.js";
import { syncState } from "../wallet/autosync.js";
import { signOut } from "../wallet/session.js";

export function Settings() {
  const bytes = useSignal(/** @type {number | null} */ (null));
  useEffect(() => void storageBytes().then((found) => (bytes.value = found)), []);
  const leave = async () => {
    await signOut();
    await refresh();
    go("sign-in");
  };
  const askToKeep = async () => {
    isStorageKept.value = await keepStorage();
  };
  const { ended_at: endedAt } = syncState.value;
  return html`<${Screen} title=${t("settings")}>
    <section class="card"><dl class="facts">
      <dt>${t("username")}</dt><dd>${person.value?.username}</dd>
      <dt>${t("phone")}</dt><dd><bdi dir="ltr">${person.value?.phone}</bdi></dd>
      <dt>${t("sync.last")}</dt><dd>${endedAt ? formatTime(endedAt) : t("never")}</dd>
      <dt>${t("storage")}</dt><dd>${t(isStorageKept.value ? "storage.kept" : "storage.not_kept")}</dd>
      ${bytes.value !== null && html`<dt>${t("storage.used")}</dt><dd>${Math.ceil(bytes.value / 1024)} KB</dd>`}
    </dl></section>
    <section class="card"><h2>${t("language")}</h2><${LanguagePicker} /></section>
    ${!isStorageKept.value && html`<${Notice} kind="warn">${t("storage.explained")}<//>
      <${Button} onPress=${askToKeep}>${t("storage.ask")}<//>`}
    ${isSignedIn.value
      ? html`<${Notice}>${t("sign_out.explained", { count: unseen.value.length })}${" "}
            <${Money} minor=${offlineMinor.value} /><//>
          <${Button} kind="danger" onPress=${leave}>${t("sign_out")}<//>`
      : html`<a class="button main" href="#/sign-in">${t("sign_in")}</a>`}
  <//>`;
}
