// A person: state, tier, sessions and what is stuck; and what may be done about it. Every look needs a reason.
import { ask, decimal } from "./api.js";
import { facts, form, h, labelled, optionsOf, reasonField, say, table, when, whoField } from "./dom.js";

const BECAUSE = { unusual: "something looks wrong", asked: "the owner asked", law: "we have to, by law" };

/** @type {import("./console.js").Show} */
export async function showPeople(main, me) {
  const found = h("div", { "aria-live": "polite" });
  main.replaceChildren(
    h("section", {}, form(
      async (fields) => {
        found.replaceChildren();
        const person = await ask("POST", "/lookups", fields);
        show(found, person, me);
      },
      whoField(),
      reasonField(),
      h("button", { class: "main" }, "Find"),
    )),
    found,
  );
}

/** @param {HTMLElement} at @param {any} person @param {import("./console.js").Me} me */
function show(at, person, me) {
  const frozen = person.state === "frozen";
  at.replaceChildren(
    h("section", { "aria-label": person.username },
      h("h2", {}, person.username),
      facts([
        ["Phone", person.phone_masked],
        ["Tier", person.tier],
        ["State", frozen
          ? h("span", { class: "tag bad" }, `frozen: ${because(person)}`)
          : h("span", { class: "tag" }, person.state)],
      ]),
      h("h2", {}, "Stuck"),
      stuckTable(person.stuck, "Nothing of this person is stuck."),
    ),
    h("section", { "aria-label": "Sessions" },
      h("h2", {}, "Signed in"),
      person.sessions.length
        ? table(["Where", "Since", "Last seen"], person.sessions.map((/** @type {any} */ each) =>
          [each.label || "unknown", when(each.issued_at), when(each.last_seen_at)]), ["", "time", "time"])
        : h("p", { class: "soft" }, "Nowhere."),
      me.rights.includes("end_sessions") && person.sessions.length
        ? act(at, me, person, "Sign out everywhere", "sign-out", "is signed out everywhere.")
        : null,
    ),
    me.rights.includes("freeze") && person.state !== "closed" ? freezing(at, me, person, frozen) : "",
  );
}

/** @param {any} person */
const because = (person) =>
  BECAUSE[/** @type {keyof typeof BECAUSE} */ (person.frozen_because)] ?? person.frozen_because;

/** @param {HTMLElement} at @param {import("./console.js").Me} me @param {any} person @param {boolean} frozen */
function freezing(at, me, person, frozen) {
  return h("section", { "aria-label": "Freeze" },
    h("h2", {}, frozen ? "Let it work again" : "Freeze"),
    h("p", { class: "soft" }, "Nothing leaves a frozen wallet. It still receives, and settles what was paid offline."),
    frozen
      ? act(at, me, person, "Unfreeze", "unfreeze", "works again.")
      : act(at, me, person, "Freeze", "freeze", "is frozen.",
        labelled("The owner is told that", h("select", { name: "because" }, ...optionsOf(BECAUSE)))),
  );
}

/**
 * @param {HTMLElement} at @param {import("./console.js").Me} me @param {any} person @param {string} text
 * @param {string} path @param {string} done @param {HTMLElement} [more]
 */
function act(at, me, person, text, path, done, more) {
  return form(
    async (fields) => {
      show(at, await ask("POST", `/people/${person.person_id}/${path}`, fields), me);
      say(`${person.username} ${done}`);
    },
    more,
    reasonField(),
    h("button", { class: "bad" }, text),
  );
}

/** @param {any[]} items @param {string} nothing */
export function stuckTable(items, nothing) {
  if (!items.length) return h("p", { class: "soft" }, nothing);
  return table(
    ["Why", "Whose", "Amount", "What"],
    items.map((each) => [
      h("span", {}, each.needs_a_person ? h("span", { class: "tag bad" }, "needs a person") : "", ` ${each.sentence}`),
      each.username,
      each.amount ? decimal(each.amount.amount_minor, each.amount.currency) : "",
      h("code", {}, each.what),
    ]),
    ["long", "", "number", "long"],
  );
}

