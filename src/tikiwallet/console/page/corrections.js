// Corrections: one proposes, another approves. What each state means for this operator is said in the row.
import { ask, decimal, minorOf, offered } from "./api.js";
import { button, form, h, labelled, reasonField, say, table, when } from "./dom.js";

const SIDES = {
  person: "the wallet of",
  bank: "the bank (money outside)",
  guarantee: "the guarantee account (our own)",
};

/** @type {import("./console.js").Show} */
export async function showCorrections(main) {
  const list = h("section", { "aria-label": "Corrections" });
  const currencies = await offered();
  let key = crypto.randomUUID(); // one for each correction, so that sending it twice proposes it once
  const proposal = form(
    async (fields) => {
      const order = {
        debit: side(fields, "debit"),
        credit: side(fields, "credit"),
        amount: { amount_minor: minorOf(fields.amount, fields.currency), currency: fields.currency },
        reason: fields.reason,
      };
      await ask("POST", "/corrections", order, key);
      key = crypto.randomUUID();
      proposal.reset();
      say("Proposed. Another operator has to approve it within 24 hours.");
      await refresh(list);
    },
    ...sideFields("debit", "Take from", "bank"),
    ...sideFields("credit", "Give to", "person"),
    labelled("Amount", h("input", { name: "amount", required: true, inputmode: "decimal", placeholder: "12.50" })),
    labelled("Currency", h("select", { name: "currency" }, ...currencies.map(({ code }) => h("option", {}, code)))),
    reasonField(),
    h("button", { class: "main" }, "Propose"),
  );
  main.replaceChildren(
    h("section", { "aria-label": "Propose" },
      h("h2", {}, "Propose a correction"),
      h("p", { class: "soft" }, "Somebody else approves it. The owner of a wallet reads the reason in the history."),
      proposal),
    list,
  );
  await refresh(list);
}

/** @param {string} name @param {string} label @param {string} chosen */
function sideFields(name, label, chosen) {
  const required = chosen === "person";
  const person = h("input", { name: `${name}_person`, maxlength: "40", autocomplete: "off", required });
  const named = labelled(`${label}: username or phone`, person);
  named.hidden = !required;
  const kind = h("select", { name: `${name}_kind` }, ...Object.entries(SIDES).map(([value, text]) =>
    h("option", { value, selected: value === chosen }, text)));
  kind.addEventListener("change", () => {
    named.hidden = kind.value !== "person";
    person.required = !named.hidden;
  });
  kind.form?.addEventListener("reset", () => kind.dispatchEvent(new Event("change")));
  return [labelled(label, kind), named];
}

/** @param {Record<string, string>} fields @param {string} name */
const side = (fields, name) =>
  fields[`${name}_kind`] === "person" ? { person: fields[`${name}_person`] } : { own: fields[`${name}_kind`] };

/** @param {HTMLElement} list */
async function refresh(list) {
  const { items } = await ask("GET", "/corrections");
  list.replaceChildren(
    h("h2", {}, "Corrections"),
    items.length
      ? table(
        ["State", "Amount", "From", "To", "Reason", "Proposed", ""],
        items.map((/** @type {any} */ each) => [
          h("span", { class: "tag" }, each.state),
          decimal(each.amount.amount_minor, each.amount.currency), each.debit, each.credit, each.reason,
          `${each.proposed_by}, ${when(each.proposed_at)}`, decision(each, list),
        ]),
        ["", "number", "", "", "long", "", ""],
      )
      : h("p", { class: "soft" }, "There are none."),
  );
}

/** @param {any} each @param {HTMLElement} list */
function decision(each, list) {
  if (each.state === "expired") return "nobody approved it in time";
  if (each.state !== "proposed") return `by ${each.decided_by}, ${when(each.decided_at)}`;
  const decide = (/** @type {string} */ what, /** @type {string} */ done) => async () => {
    await ask("POST", `/corrections/${each.correction_id}/${what}`);
    say(done);
    await refresh(list);
  };
  const word = each.is_mine ? "Take back" : "Reject";
  const reject = button(word, decide("rejection", "Rejected; nothing has moved."), "bad");
  return h("div", { class: "row" },
    each.is_mine
      ? h("span", { class: "soft" }, `somebody else approves it, until ${when(each.expires_at)}`)
      : button("Approve", decide("approval", "Approved, and posted."), "main"),
    reject,
  );
}
