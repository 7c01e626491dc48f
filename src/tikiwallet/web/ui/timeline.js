// The steps of a payment, one below the other: what has happened, and what is due by when.
import { formatDay, formatTime, t } from "../i18n.js";
import { html } from "../vendor/ui.js";
import { Icon } from "./icons.js";

/** @import { Step } from "../timeline.js" */

/** @param {{ steps: Step[] }} props */
export function Timeline({ steps }) {
  return html`<ol class="timeline">${steps.map(({ key, state, at, note }) => {
    const icon = { done: "check", due: "clock", failed: "cross" }[state];
    const when = at === 0 ? "" : state === "due" ? t("step.by", { date: formatDay(at) }) : formatTime(at);
    return html`<li class=${state} key=${key} data-step=${key} data-state=${state}>
      <span class="step-icon"><${Icon} name=${icon} /></span>
      <span><b>${t(`step.${key}`)}</b>
        <small>${[t(`step.state.${state}`), when].filter(Boolean).join(" · ")}</small>
        ${note && html`<small>${note}</small>`}</span>
    </li>`;
  })}</ol>`;
}
