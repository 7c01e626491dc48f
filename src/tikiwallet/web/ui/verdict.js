// How safe a payment is, in one large word and three amounts: what the payee looks at before handing over the goods.
import { formatDay, t } from "../i18n.js";
import { html } from "../vendor/ui.js";
import { Icon, Money } from "../ui.js";

/**
 * @typedef {{ final_minor: number, protected_minor: number, at_risk_minor: number, claim_by: number }} Safe
 */

/**
 * Return the word for a payment: the weakest part names it.
 * @param {Safe} safe @returns {"final" | "protected" | "risk"}
 */
export function wordOf({ at_risk_minor, protected_minor }) {
  return at_risk_minor > 0 ? "risk" : protected_minor > 0 ? "protected" : "final";
}

/**
 * The verdict. Compact where a code to scan stands below it, which has to be on the screen without scrolling.
 * @param {{ safe: Safe, totalMinor: number, title: string, isCompact?: boolean }} props
 */
export function Verdict({ safe, totalMinor, title, isCompact = false }) {
  const word = wordOf(safe);
  const icon = { final: "check", protected: "shield", risk: "alert" }[word];
  const parts = [
    ["final", safe.final_minor],
    ["protected", safe.protected_minor],
    ["risk", safe.at_risk_minor],
  ];
  return html`<section class=${`verdict ${word} ${isCompact ? "compact" : ""}`} data-verdict=${word}>
    <${Icon} name=${icon} />
    <h2>${t(`verdict.${word}`)}</h2>
    <p class="verdict-amount"><${Money} minor=${totalMinor} /></p>
    <p>${title}</p>
    ${!isCompact &&
    html`<ul>${parts
      .filter(([, minor]) => Number(minor) > 0)
      .map(
        ([part, minor]) =>
          html`<li class=${part}><span>${t(`verdict.${part}`)}</span><${Money} minor=${minor} /></li>`,
      )}</ul>`}
    <p class="verdict-why">${t(`verdict.${word}.why`, { date: formatDay(safe.claim_by) })}${" "}
      <a href="#/help/protected">${t("help.protected")}</a></p>
  </section>`;
}
