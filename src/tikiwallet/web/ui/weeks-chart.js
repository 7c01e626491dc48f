// In and out by week: a picture of bars, and the same as a table for whoever does not see the picture.
import { formatMoney, formatShortDay, isRightToLeft, t } from "../i18n.js";
import { currency } from "../state.js";
import { html } from "../vendor/ui.js";
import { weeks } from "../weeks.js";

const [WIDTH, HEIGHT, BASE] = [320, 120, 104]; // of the picture, in its own units
const [BAR, GAP] = [13, 2];

export function WeeksChart() {
  const rows = weeks.value;
  const most = Math.max(1, ...rows.flatMap((week) => [week.in, week.out]));
  const step = WIDTH / rows.length;
  const money = (/** @type {number} */ minor) => formatMoney(minor, currency.value);
  const bar = (/** @type {string} */ way, /** @type {number} */ minor, /** @type {number} */ x) => {
    const height = minor === 0 ? 0 : Math.max(2, (minor / most) * (BASE - 8));
    return html`<rect class=${`bar-${way}`} x=${x} y=${BASE - height} width=${BAR} height=${height} rx="3" />`;
  };
  return html`<figure class="card weeks">
    <figcaption class="section-title"><h2>${t("weeks")}</h2>
      <span class="legend"><i class="key-in"></i>${t("way.in")}<i class="key-out"></i>${t("way.out")}</span>
    </figcaption>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${t("weeks.picture", { most: money(most) })}>
      <defs><pattern id="stripes" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect class="stripe-ground" width="5" height="5" /><rect class="stripe" width="2.5" height="5" />
      </pattern></defs>
      <line x1="0" x2=${WIDTH} y1=${BASE} y2=${BASE} />
      ${rows.map((week, at) => {
        // Time runs as the reading does.
        const place = isRightToLeft.value ? rows.length - 1 - at : at;
        const x = place * step + (step - 2 * BAR - GAP) / 2;
        return html`<g key=${week.from}>${bar("in", week.in, x)}${bar("out", week.out, x + BAR + GAP)}
          ${at % 2 === 1 && html`<text x=${x + BAR} y=${HEIGHT - 2}>${formatShortDay(week.from)}</text>`}</g>`;
      })}
    </svg>
    <details><summary>${t("weeks.table")}</summary>
      <table><caption class="unseen">${t("weeks")}</caption>
        <thead><tr><th scope="col">${t("weeks.week")}</th><th scope="col">${t("way.in")}</th>
          <th scope="col">${t("way.out")}</th></tr></thead>
        <tbody>${[...rows].reverse().map(
          (week) => html`<tr key=${week.from}><th scope="row">${formatShortDay(week.from)}</th>
            <td>${money(week.in)}</td><td>${money(week.out)}</td></tr>`,
        )}</tbody></table></details>
  </figure>`;
}
