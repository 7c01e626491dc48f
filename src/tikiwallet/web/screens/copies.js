// Copies: everything this phone knows as a file, the account's history as a table, and somebody else's file to bring.
import { fetchStatement } from "../api.js";
import { formatCount, language, sentenceOfCode, t } from "../i18n.js";
import { canShareFile, saveFile, shareFile, unixNow } from "../platform.js";
import { refresh } from "../state.js";
import { Button, Failure, Field, Icon, Notice, Screen, html, useSignal } from "../ui.js";
import { CodeEntry } from "../ui/other-ways.js";
import { syncNow, syncState } from "../wallet/autosync.js";
import { carry, exportName, exportText, historyCsv, outcomesOf } from "../wallet/copies.js";

/** @import { Carried } from "../wallet/copies.js" */
/** @import { OutboxEntry } from "../wallet/sync.js" */

export function Export() {
  const failure = useSignal(/** @type {unknown} */ (null));
  const attempt = async (/** @type {Promise<unknown>} */ work) => {
    failure.value = null;
    await work.catch((error) => (failure.value = error));
  };
  const payments = async () => new Blob([await exportText()], { type: "text/plain" });
  const table = async () => new Blob([await historyCsv()], { type: "text/csv" });
  const [paymentsName, tableName] = [exportName("payments", "txt"), exportName("history", "csv")];
  const savePayments = () => attempt(payments().then((file) => saveFile(file, paymentsName)));
  const sharePayments = () => attempt(payments().then((file) => shareFile(file, paymentsName)));
  const saveTable = () => attempt(table().then((file) => saveFile(file, tableName)));
  const month = useSignal(new Date(unixNow() * 1000).toISOString().slice(0, 7));
  const saveStatement = (/** @type {"pdf" | "csv"} */ form) => {
    const wanted = month.value;
    const file = fetchStatement(wanted, form, language.value);
    return attempt(file.then((found) => saveFile(found, `tikiwallet-${wanted}.${form}`)));
  };
  return html`<${Screen} title=${t("export")} back="settings">
    <section class="card"><h2>${t("export.payments")}</h2><p>${t("export.payments.explained")}</p>
      <${Button} kind="main" name="export-payments" onPress=${savePayments}>${t("export.save")}<//>
      ${canShareFile() && html`<${Button} icon="share" onPress=${sharePayments}>${t("share_code")}<//>`}</section>
    <section class="card"><h2>${t("export.history")}</h2><p>${t("export.history.explained")}</p>
      <${Button} name="export-history" onPress=${saveTable}>${t("export.save")}<//></section>
    <section class="card"><h2>${t("export.statement")}</h2><p>${t("export.statement.explained")}</p>
      <${Field} label=${t("export.statement.month")} signal=${month} type="month" name="month" />
      <div class="side-by-side"><${Button} name="statement-pdf" onPress=${() => saveStatement("pdf")}>PDF<//>
        <${Button} name="statement-csv" onPress=${() => saveStatement("csv")}>CSV<//></div></section>
    <${Failure} error=${failure.value} />
    <a class="button" href="#/bring">${t("bring")}</a>
  <//>`;
}

/** Brings somebody else's payments to the operator. */
export function Bring() {
  const carried = useSignal(/** @type {Carried[]} */ ([]));
  const told = useSignal(/** @type {OutboxEntry[]} */ ([]));
  const take = async (/** @type {string[]} */ codes) => {
    carried.value = await carry(codes);
    await look();
    await syncNow();
    await look();
  };
  const look = async () => {
    await refresh();
    told.value = await outcomesOf(carried.value);
  };
  return html`<${Screen} title=${t("bring")} back="export">
    <p>${t("bring.explained")}</p>
    <section class="card"><${CodeEntry} take=${take} label=${t("bring.paste")} /></section>
    ${carried.value.length > 0 && html`<${Outcomes} carried=${carried.value} told=${told.value} />`}
  <//>`;
}

/** @param {{ carried: Carried[], told: OutboxEntry[] }} props */
function Outcomes({ carried, told }) {
  const count = (/** @type {string} */ outcome) => told.filter((entry) => entry.outcome === outcome).length;
  const waiting = count("");
  const refused = told.filter((entry) => entry.outcome === "rejected");
  const unreadable = carried.filter((item) => item.entry_id === "");
  const { code } = syncState.value;
  return html`<section class="card" role="status"><dl class="facts">
      <dt>${t("bring.recorded")}</dt><dd data-name="recorded">${formatCount(count("recorded"))}</dd>
      <dt>${t("bring.known")}</dt><dd data-name="known">${formatCount(count("known"))}</dd>
      <dt>${t("bring.waiting")}</dt><dd data-name="brought-later">${formatCount(waiting)}</dd>
      <dt>${t("bring.refused")}</dt><dd data-name="refused">${formatCount(refused.length + unreadable.length)}</dd>
    </dl></section>
    ${waiting > 0 && html`<${Notice} icon="sync">${t("bring.kept")} ${code && sentenceOfCode(code)}<//>`}
    <ul class="list">${[
      ...refused.map(({ entry_id: key, code: why, detail }) => ({ key, why, text: sentenceOfCode(why, detail) })),
      ...unreadable.map(({ code: why }, at) => ({ key: String(at), why, text: sentenceOfCode(why) })),
    ].map(
      ({ key, why, text }) => html`<li class="row bad" key=${key}>
        <span class="row-icon"><${Icon} name="cross" /></span><span class="row-text">
          <b data-code=${why}>${text}</b></span></li>`,
    )}</ul>`;
}
