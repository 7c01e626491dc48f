// What admins do: tiers of people, and the roles of other operators. Making an operator needs the server.
import { ask } from "./api.js";
import { form, h, labelled, optionsOf, reasonField, say, table, when, whoField } from "./dom.js";

const TIERS = {
  phone: "phone: the number is proven",
  identified: "identified: a document was seen",
  till: "till: a business",
};
const ROLES = ["support", "risk", "finance", "admin"];

/** @type {import("./console.js").Show} */
export async function showTiers(main) {
  main.replaceChildren(h("section", {}, form(
    async (fields) => {
      const found = await ask("POST", "/tiers", fields);
      say(`${found.username} is now ${found.tier}.`);
    },
    whoField(),
    labelled("Tier", h("select", { name: "tier" }, ...optionsOf(TIERS))),
    reasonField(),
    h("button", { class: "main" }, "Give this tier"),
  )));
}

/** @type {import("./console.js").Show} */
export async function showOperators(main, me) {
  show(main, me, (await ask("GET", "/operators")).items);
}

/** @param {HTMLElement} main @param {import("./console.js").Me} me @param {any[]} items */
function show(main, me, items) {
  const others = items.filter((each) => each.operator_id !== me.operator_id && !each.disabled_at);
  main.replaceChildren(
    h("section", {},
      table(["Name", "Roles", "State", "Last seen"], items.map((each) => [
        each.name, each.roles.join(", "), state(each), when(each.last_seen_at) || "never",
      ]), ["", "", "", "time"]),
      h("p", { class: "soft" },
        "A new operator, or a new link for a lost key, is made on the server: tikiwallet operator."),
    ),
    others.length ? changing(main, me, others) : "",
  );
}

/** @param {string} role */
const roleBox = (role) =>
  h("label", { class: "check" }, h("input", { type: "checkbox", name: role, value: "1" }), role);

/** @param {any} each */
const state = (each) =>
  each.disabled_at ? `disabled ${when(each.disabled_at)}` : each.has_passkey ? "has a passkey" : "has no passkey yet";

/** @param {HTMLElement} main @param {import("./console.js").Me} me @param {any[]} others */
function changing(main, me, others) {
  const named = () => labelled("Operator", h("select", { name: "operator_id" },
    ...others.map((each) => h("option", { value: each.operator_id }, each.name))));
  return h("section", {},
    h("h2", {}, "Change roles"),
    form(
      async (fields) => {
        const roles = ROLES.filter((role) => fields[role]);
        const body = { roles, reason: fields.reason };
        show(main, me, (await ask("POST", `/operators/${fields.operator_id}/roles`, body)).items);
        say("The roles are changed.");
      },
      named(),
      ...ROLES.map(roleBox),
      reasonField(),
      h("button", { class: "main" }, "Give these roles"),
    ),
    h("h2", {}, "Disable"),
    form(
      async (fields) => {
        const body = { reason: fields.reason };
        show(main, me, (await ask("POST", `/operators/${fields.operator_id}/disable`, body)).items);
        say("Disabled: key, link and sessions are gone.");
      },
      named(),
      reasonField(),
      h("button", { class: "bad" }, "Disable for ever"),
    ),
  );
}
