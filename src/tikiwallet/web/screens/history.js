// What happened: one list of this phone's payments and of the online balance, to search, to filter, to go back in.
import { activities } from "../activity.js";
import { Problem, Unreachable } from "../api.js";
import { t } from "../i18n.js";
import { refresh } from "../state.js";
import { Button, Field, Notice, Row, Screen, html, sentenceOf, useEffect, useSignal } from "../ui.js";
import { WeeksChart } from "../ui/weeks-chart.js";
import { fetchMovements } from "../wallet/online.js";

/** @import { Activity } from "../activity.js" */

const WAYS = ["", "in", "out"];
const KINDS = ["", "payment", "offline", "top_up", "withdrawal", "load", "release", "settlement", "correction"];

/**
 * Dates as the fields give them: 2026-11-26.
 * @typedef {{ way: string, kind: string, from: string, to: string }} Filter
 */

/** The beginning of a day on the phone's calendar, in unix seconds. @param {string} day @param {number} [later] days */
const startOf = (day, later = 0) => {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).getTime() / 1000;
};

/** @param {Activity} item @param {Filter} filter @param {string} typed */
function isWanted(item, { way, kind, from, to }, typed) {
  const text = `${item.title} ${item.memo ?? ""}`.toLowerCase();
  return (
    (way === "" || item.way === way) &&
    (kind === "" || item.kind === kind) &&
    (from === "" || item.at >= startOf(from)) &&
    (to === "" || item.at < startOf(to, 1)) &&
    text.includes(typed.trim().toLowerCase())
  );
}

/** What the server is asked for a filter. @param {Filter} filter */
function queryOf({ way, kind, from, to }) {
  const instant = (/** @type {number} */ seconds) => new Date(seconds * 1000).toISOString();
  return {
    direction: way,
    kind: kind === "offline" ? "" : kind,
    since: from && instant(startOf(from)),
    until: to && instant(startOf(to, 1)),
  };
}

export function History() {
  const [typed, way, kind, from, to] = ["", "", "", "", ""].map((empty) => useSignal(empty));
  const cursor = useSignal(/** @type {string | null} */ (null));
  // Older rows of another filter lie in the store: shown only as far back as this filter was fetched without a gap.
  const fetchedTo = useSignal(0);
  const failure = useSignal(/** @type {unknown} */ (null));
  const filter = { way: way.value, kind: kind.value, from: from.value, to: to.value };
  const fetchPage = async (/** @type {string | null} */ after) => {
    try {
      const page = await fetchMovements({ ...queryOf(filter), cursor: after });
      const last = page.items.at(-1);
      cursor.value = page.next_cursor;
      fetchedTo.value = page.next_cursor && last ? Date.parse(last.at) / 1000 : 0;
      failure.value = null;
      await refresh();
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Unreachable)) throw error;
      [cursor.value, fetchedTo.value, failure.value] = [null, 0, error];
    }
  };
  useEffect(() => void fetchPage(null), [way.value, kind.value, from.value, to.value]);
  const isFiltered = Object.values(filter).some(Boolean) || typed.value !== "";
  const found = activities.value.filter((item) => item.at >= fetchedTo.value && isWanted(item, filter, typed.value));
  return html`<${Screen} title=${t("history")}>
    <${WeeksChart} />
    <${Field} label=${t("history.search")} signal=${typed} type="search" autocomplete="off" />
    <div class="chips" role="group" aria-label=${t("direction")}>${WAYS.map(
      (item) => html`<button type="button" class="chip" data-name=${`way-${item || "all"}`}
        aria-pressed=${way.value === item} onClick=${() => (way.value = item)}>${t(`way.${item || "all"}`)}</button>`,
    )}</div>
    <details class="filters"><summary>${t("history.filters")}</summary>
      <label class="field"><span>${t("history.kind")}</span><select value=${kind.value} data-name="kind"
        onChange=${(/** @type {any} */ event) => (kind.value = event.target.value)}>${KINDS.map(
          (item) => html`<option value=${item}>${t(item ? `kind.${item}` : "way.all")}</option>`,
        )}</select></label>
      <div class="side-by-side"><${Field} label=${t("history.from")} signal=${from} type="date" />
        <${Field} label=${t("history.to")} signal=${to} type="date" /></div></details>
    ${failure.value !== null &&
    html`<${Notice} kind="warn" icon="offline"><span>${sentenceOf(failure.value)} ${t("history.known")}</span><//>`}
    <p class="unseen" role="status">${t("history.count", { count: found.length })}</p>
    ${found.length > 0
      ? html`<ul class="list" data-name="history">${found.map(
          (item) => html`<${Row} key=${item.key} ...${item} />`,
        )}</ul>`
      : html`<p class="lead">${t(isFiltered ? "history.none_found" : "nothing_yet")}</p>`}
    ${cursor.value && html`<${Button} name="more" onPress=${() => fetchPage(cursor.value)}>${t("more")}<//>`}
  <//>`;
}
