// How this phone and the operator stand: what is on its way, what was not counted, when they last met.
import { formatCount, formatTime, sentenceOfCode, t } from "../i18n.js";
import { isStorageKept, moneyHeardAt, notCounted, unseen } from "../state.js";
import { Button, Icon, Notice, Screen, html } from "../ui.js";
import { syncNow, syncState } from "../wallet/autosync.js";

export function SyncStatus() {
  const { isRunning, done, of, code } = syncState.value;
  return html`<${Screen} title=${t("sync")} actions=${html`
      <${Button} kind="main" icon="sync" name="sync" onPress=${syncNow}>${t("sync.now")}<//>`}>
    <section class="card"><dl class="facts">
      <dt>${t("sync.waiting")}</dt><dd data-name="waiting">${formatCount(unseen.value.length)}</dd>
      <dt>${t("sync.heard")}</dt><dd>${moneyHeardAt.value ? formatTime(moneyHeardAt.value) : t("never")}</dd>
      <dt>${t("storage")}</dt><dd>${t(isStorageKept.value ? "storage.kept" : "storage.not_kept")}</dd>
    </dl></section>
    ${isRunning && html`<${Notice} icon="sync">${t("sync.running", { done, of })}
      <progress max=${Math.max(of, 1)} value=${done}></progress><//>`}
    ${!isRunning && code === "" && unseen.value.length === 0 && html`<${Notice} kind="good">${t("sync.good")}<//>`}
    ${!isRunning && code !== "" && html`<${Notice} kind="warn">${sentenceOfCode(code)}<//>`}
    ${unseen.value.length > 0 && html`<p>${t("sync.explained")}</p>`}
    ${notCounted.value.length > 0 &&
    html`<section><h2>${t("sync.not_counted")}</h2><ul class="list">${notCounted.value.map(
      (entry) => html`<li class="row bad" key=${entry.entry_id}><span class="row-icon"><${Icon} name="cross" /></span>
        <span class="row-text"><b>${sentenceOfCode(entry.code, entry.detail)}</b>
          <small><bdi dir="ltr">${entry.payment_id.slice(0, 8)}</bdi></small></span></li>`,
    )}</ul></section>`}
  <//>`;
}
