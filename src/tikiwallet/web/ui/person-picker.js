// Pick a person: those of this phone at once, anybody else by phone number or username at the operator.
import { formatShortDay, t } from "../i18n.js";
import { canBeFound, lookUp, matching, people } from "../people.js";
import { person } from "../state.js";
import { Failure, Field, Icon, html, useSignal } from "../ui.js";

const SHOWN = 8;

/** @param {{ onPick: (username: string) => void }} props */
export function PersonPicker({ onPick }) {
  const typed = useSignal("");
  const failure = useSignal(/** @type {unknown} */ (null));
  const found = matching(people.value, typed.value);
  const isExact = found.some((item) => item.username.toLowerCase() === typed.value.trim().toLowerCase());
  const find = async (/** @type {Event} */ event) => {
    event.preventDefault();
    failure.value = null;
    try {
      const someone = await lookUp(typed.value);
      if (someone.person_id === person.value?.person_id) failure.value = new ItIsYou();
      else onPick(someone.username);
    } catch (error) {
      failure.value = error;
    }
  };
  return html`<section class="picker">
    <form class="form" role="search" onSubmit=${find} novalidate>
      <${Field} label=${t("people.search")} signal=${typed} autocomplete="off" autocapitalize="none" spellcheck=${false}
        type="search" hint=${t("people.search.hint")} />
      ${canBeFound(typed.value) && !isExact &&
      html`<button class="button plain" data-name="find"><${Icon} name="search" />
        <span>${t("people.find", { who: typed.value.trim() })}</span></button>`}
    </form>
    <${Failure} error=${failure.value} />
    ${found.length > 0
      ? html`<ul class="list" aria-label=${t("people.recent")}>${found.slice(0, typed.value ? found.length : SHOWN).map(
          (item) => html`<${PersonRow} key=${item.username} someone=${item} onPick=${onPick} />`,
        )}</ul>`
      : html`<p class="lead">${t(typed.value ? "people.none_found" : "people.none")}</p>`}
  </section>`;
}

/** The person who looks for themselves. */
class ItIsYou extends Error {
  name = "ItIsYou";
  code = "payee_is_payer";
}

/** @param {{ someone: import("../people.js").Acquaintance, onPick: (username: string) => void }} props */
function PersonRow({ someone, onPick }) {
  const { username, phone_masked: phone, met_at: metAt } = someone;
  return html`<li><button type="button" class="row" data-person=${username} onClick=${() => onPick(username)}>
    <${Initial} name=${username} />
    <span class="row-text"><b>${username}</b>
      <small>${phone && html`<bdi dir="ltr">${phone}</bdi> · `}${formatShortDay(metAt)}</small></span>
    <${Icon} name="next" />
  </button></li>`;
}

/** The first letter of a name in a circle. @param {{ name: string }} props */
export function Initial({ name }) {
  return html`<span class="row-icon initial" aria-hidden="true">${[...name][0]?.toUpperCase()}</span>`;
}
