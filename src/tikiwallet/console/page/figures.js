// What finance and risk look at: everything that is stuck, the books against the provider, what is promised.
import { ask, decimal } from "./api.js";
import { facts, h, table, when } from "./dom.js";
import { stuckTable } from "./people.js";

const FINDINGS = {
  matched: "both sides say the same",
  underway: "not finished yet",
  missing_here: "the provider moved money that our books don't know",
  missing_there: "our books moved money that the provider doesn't know",
  different: "the amounts differ",
  own: "our own: fees, payouts to our bank",
};
const WRONG = ["missing_here", "missing_there", "different"];

/** @type {import("./console.js").Show} */
export async function showStuck(main) {
  const { items } = await ask("GET", "/stuck");
  main.replaceChildren(h("section", {}, stuckTable(items, "Nothing is stuck.")));
}

/** @type {import("./console.js").Show} */
export async function showReconciliation(main) {
  const found = await ask("GET", "/reconciliation");
  if (!found.is_compared) {
    main.replaceChildren(h("section", {}, h("p", {},
      "There is no provider to compare the books with: this wallet uses the demo bank, or none.")));
    return;
  }
  main.replaceChildren(
    h("section", {},
      h("p", {}, h("span", { class: found.is_right ? "tag" : "tag bad" }, found.is_right ? "all right" : "not right"),
        ` ${when(found.since)} to ${when(found.as_of)}`),
      h("h2", {}, "What people are owed, and what is held for them"),
      table(
        ["Currency", "Owed", "With the provider", "In our bank", "Spare"],
        found.held.map(heldRow),
        ["", "number", "number", "number", "number"],
      ),
    ),
    h("section", {},
      h("h2", {}, "Line by line"),
      table(["Finding", "Ours", "Theirs", "Newest", "Days", "What"], found.lines.map((/** @type {any} */ each) => [
        h("span", { class: WRONG.includes(each.finding) ? "tag bad" : "" },
          FINDINGS[/** @type {keyof typeof FINDINGS} */ (each.finding)] ?? each.finding),
        decimal(each.here_minor, each.currency), decimal(each.there_minor, each.currency),
        when(each.newest_at), each.age_days, h("code", {}, each.subject),
      ]), ["", "number", "number", "time", "number", "long"]),
      found.lines_left_out
        ? h("p", { class: "soft" }, `${found.lines_left_out} more: see tikiwallet reconcile-bank.`)
        : "",
    ),
  );
}

/** @param {any} each */
function heldRow(each) {
  const spare = each.provider_minor + each.bank_minor - each.owed_minor;
  const numbers = [each.owed_minor, each.provider_minor, each.bank_minor, spare];
  return [each.currency, ...numbers.map((minor) => decimal(minor, each.currency))];
}

/** @type {import("./console.js").Show} */
export async function showRisk(main) {
  const found = await ask("GET", "/risk");
  const money = (/** @type {number} */ minor) => decimal(minor, found.currency);
  const limit = found.limit_minor === null ? "no limit" : `of ${money(found.limit_minor)} at most`;
  main.replaceChildren(
    h("section", {},
      h("h2", {}, "Promised on offline money"),
      facts([
        ["State", found.is_paused
          ? h("span", { class: "tag bad" }, "paused: nothing new is promised")
          : h("span", { class: "tag" }, "new money is promised")],
        ["Promised", `${money(found.promised_minor)}, ${limit}`],
        ["of it cover", money(found.cover_minor)],
        ["of it guarantees", money(found.guarantee_minor)],
        ["of it early release", money(found.early_release_minor)],
        ["Paid out so far", `${money(found.paid_guarantee_minor)} guarantees, ${money(found.paid_cover_minor)} cover`],
        ["Owed back by people", money(found.debt_minor)],
        ["Vouchers", `${found.vouchers_open} open, ${found.closes_stuck} that can't be closed`],
      ]),
    ),
    h("section", {},
      h("h2", {}, "Double spends"),
      found.double_spends.length
        ? table(["Found", "Who", "Phone", "Twice", "", "Proof"], found.double_spends.map((/** @type {any} */ each) => [
          when(each.found_at), each.username, `${each.phone_name} (${each.key_id.slice(0, 8)})`,
          money(each.amount_minor), each.is_notice ? "nobody lost by it" : "",
          h("details", {}, h("summary", {}, "Show"), h("code", {}, each.proof)),
        ]), ["time", "", "", "number", "", "long"])
        : h("p", { class: "soft" }, "None was found."),
    ),
  );
}
