// What the wallet takes on this phone, whether the browser keeps it, and how much went over the network.
import { dataUsed } from "../api.js";
import { formatBytes, formatDay, t } from "../i18n.js";
import { isTabThatForgets, keepStorage, storageBytes } from "../platform.js";
import { isStorageKept } from "../state.js";
import { Button, Notice, Screen, html, useEffect, useSignal } from "../ui.js";

export function Storage() {
  const told = useSignal(/** @type {{ usage: number, quota: number } | null} */ (null));
  const used = useSignal(/** @type {import("../api.js").DataUsed | null} */ (null));
  useEffect(() => void storageBytes().then((found) => (told.value = found)), []);
  useEffect(() => void dataUsed().then((found) => (used.value = found)), []);
  const ask = async () => {
    isStorageKept.value = await keepStorage();
  };
  const isKept = isStorageKept.value;
  return html`<${Screen} title=${t("storage")} back="settings">
    <section class="card"><dl class="facts">
      <dt>${t("storage.state")}</dt><dd data-name="kept">${t(isKept ? "storage.kept" : "storage.not_kept")}</dd>
      ${told.value && html`<dt>${t("storage.used")}</dt><dd>${formatBytes(told.value.usage)}</dd>
        <dt>${t("storage.room")}</dt><dd>${formatBytes(told.value.quota)}</dd>`}
    </dl></section>
    ${isKept
      ? html`<${Notice} kind="good">${t("storage.kept.explained")}<//>`
      : html`<${Notice} kind="warn">${t(isTabThatForgets() ? "move.tab_forgets" : "storage.explained")}
            ${" "}<a href="#/help/install">${t("help.install")}</a><//>
          <${Button} onPress=${ask}>${t("storage.ask")}<//>`}
    <h2>${t("data_used")}</h2>
    ${used.value && html`<section class="card"><dl class="facts">
      <dt>${t("data_used.sent")}</dt><dd data-name="sent">${formatBytes(used.value.sent_bytes)}</dd>
      <dt>${t("data_used.received")}</dt><dd data-name="received">${formatBytes(used.value.received_bytes)}</dd>
      <dt>${t("data_used.since")}</dt><dd>${formatDay(used.value.since)}</dd>
    </dl></section>
    <p>${t("data_used.explained")}</p>`}
  <//>`;
}
