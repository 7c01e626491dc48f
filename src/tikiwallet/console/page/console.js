// The operators' page: signs in, shows what the operator's rights allow, one view at a time. English only on purpose:
// operators of a firm share a language, and six translations of rarely read words would drift apart.
import { ask, offered } from "./api.js";
import { button, doing, h, place, say, when } from "./dom.js";
import { enrol, signIn } from "./passkey.js";
import { whenSignedOut } from "./signed-out.js";
import { showCorrections } from "./corrections.js";
import { showReconciliation, showRisk, showStuck } from "./figures.js";
import { showOperators, showTiers } from "./operators.js";
import { showPeople } from "./people.js";

/** @typedef {{ operator_id: string, name: string, roles: string[], rights: string[], expires_at: string }} Me */
/** @typedef {(main: HTMLElement, me: Me) => Promise<void>} Show */

/** @type {{ at: string, title: string, right: string, show: Show }[]} */
const VIEWS = [
  { at: "people", title: "People", right: "find_people", show: showPeople },
  { at: "stuck", title: "Stuck", right: "see_stuck", show: showStuck },
  { at: "corrections", title: "Corrections", right: "correct", show: showCorrections },
  { at: "reconciliation", title: "Reconciliation", right: "see_reconciliation", show: showReconciliation },
  { at: "risk", title: "Risk", right: "see_risk", show: showRisk },
  { at: "tiers", title: "Tiers", right: "set_tier", show: showTiers },
  { at: "operators", title: "Operators", right: "manage_operators", show: showOperators },
];

/** @type {Me | null} */
let me = null;

/** @param {string} title @param {...import("./dom.js").Child} children */
function fill(title, ...children) {
  const heading = h("h1", { tabindex: "-1" }, title);
  place("main").replaceChildren(heading, ...children.map((child) => (child instanceof Node ? child : String(child))));
  document.title = `${title} · TikiWallet operators`;
  heading.focus();
}

function showSignIn() {
  me = null;
  place("top").replaceChildren(h("strong", {}, "TikiWallet operators"));
  fill(
    "Sign in",
    h("p", {}, "Use the passkey that you registered for this page. There is no password and no text message."),
    h("p", { class: "row" }, button("Sign in with your passkey", enter, "main")),
    h("p", { class: "soft" }, "Lost your key? Ask whoever runs the server for a new link."),
  );
}

async function enter() {
  me = await signIn();
  await showView();
}

/** @param {string} token */
function showEnrolment(token) {
  place("top").replaceChildren(h("strong", {}, "TikiWallet operators"));
  fill(
    "Register your passkey",
    h("p", {}, "This link was made for you and works once. The passkey stays in this device or in your security key."),
    h("p", { class: "row" }, button("Register a passkey", async () => {
      const name = await enrol(token);
      history.replaceState(null, "", location.pathname);
      showSignIn();
      say(`The passkey of ${name} is registered. Sign in with it.`);
    }, "main")),
  );
}

async function showView() {
  if (!me) return;
  await offered();
  const allowed = VIEWS.filter((view) => me?.rights.includes(view.right));
  const view = allowed.find((each) => `#${each.at}` === location.hash) ?? allowed[0];
  showTop(allowed, view);
  const body = h("div");
  fill(view.title, body);
  await view.show(body, me);
}

/** @param {typeof VIEWS} allowed @param {typeof VIEWS[0]} view */
function showTop(allowed, view) {
  if (!me) return;
  place("top").replaceChildren(
    h("strong", {}, "TikiWallet operators"),
    h("span", {}, `${me.name} (${me.roles.join(", ")}), until ${when(me.expires_at)}`),
    button("Sign out", async () => {
      await ask("DELETE", "/sessions/current");
      showSignIn();
      say("You are signed out.");
    }),
    h("nav", { "aria-label": "Views" }, ...allowed.map((each) =>
      h("a", { href: `#${each.at}`, "aria-current": each === view ? "page" : false }, each.title))),
  );
}

async function start() {
  const token = /^#enrol=([A-Za-z0-9_-]+)$/.exec(location.hash)?.[1];
  if (token) {
    showEnrolment(token);
    return;
  }
  showSignIn();
  const found = await ask("GET", "/me").catch(() => null);
  if (!found) return;
  me = found;
  await doing(showView);
}

whenSignedOut(() => {
  if (me) showSignIn();
});
addEventListener("hashchange", () => {
  if (/^#enrol=/.test(location.hash)) void start();
  else if (me) void doing(showView);
});
void start();
