// The truth about offline money in plain words: one short page for each question.
import { t } from "../i18n.js";
import { person } from "../state.js";
import { Icon, Screen, html } from "../ui.js";

export const TOPICS = Object.freeze(["protected", "lost", "refused", "operator", "pin", "install"]);

/** @param {{ id: string }} props the question, "" for the list */
export function Help({ id }) {
  if (!TOPICS.includes(id)) {
    return html`<${Screen} title=${t("help")} back=${person.value ? "settings" : "welcome"}>
      <ul class="list">${TOPICS.map(
        (topic) => html`<li key=${topic}><a class="row" href=${`#/help/${topic}`}>
          <span class="row-icon"><${Icon} name="help" /></span>
          <span class="row-text"><b>${t(`help.${topic}`)}</b></span></a></li>`,
      )}</ul>
    <//>`;
  }
  return html`<${Screen} title=${t(`help.${id}`)} back="help">
    <article class="help">${t(`help.${id}.text`)
      .split("\n\n")
      .map((text) => html`<p key=${text}>${text}</p>`)}</article>
  <//>`;
}
