// Elements without a framework: text is always text, so that nothing a person typed can become markup.

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, any>} Props */

/**
 * Make an element. `on...` are listeners, other values attributes; false and null leave an attribute out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Props} [props] @param {...Child} children @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (is(value)) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter(is).map(asNode));
  return made;
}

/** @param {any} value */
const is = (value) => value !== null && value !== undefined && value !== false;

/** @param {any} child */
const asNode = (child) => (child instanceof Node ? child : String(child));

/** @param {string} id @returns {HTMLElement} */
export function place(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no place ${id}`);
  return found;
}

/**
 * A table; a cell may be an element, and `kinds` are the classes of the columns. On a narrow screen each row is a card.
 * @param {string[]} head @param {Child[][]} rows @param {string[]} [kinds]
 */
export function table(head, rows, kinds = []) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": head.join(", ") },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...head.map((text, i) => h("th", { scope: "col", class: kinds[i] }, text)))),
      h("tbody", {}, ...rows.map((row) =>
        h("tr", {}, ...row.map((cell, i) => h("td", { class: kinds[i], "data-label": head[i] }, cell))))),
    ),
  );
}

/** @param {[string, Child][]} pairs */
export const facts = (pairs) =>
  h("dl", {}, ...pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

/**
 * A labelled field. @param {string} label @param {HTMLElement} field @param {string} [kind]
 */
export const labelled = (label, field, kind = "") => h("label", { class: kind }, label, field);

/** Why an operator does something: asked for with every act. @param {string} [name] */
export const reasonField = (name = "reason") =>
  labelled(
    "Reason (kept for ever; no names, no numbers)",
    h("input", { name, required: true, minlength: "8", maxlength: "140", autocomplete: "off" }),
    "wide",
  );

/** Whom an operator means. */
export const whoField = () =>
  labelled(
    "Username or phone number",
    h("input", { name: "who", required: true, maxlength: "40", autocomplete: "off", spellcheck: "false" }),
  );

/** The options of a choice, by their values. @param {Record<string, string>} texts */
export const optionsOf = (texts) => Object.entries(texts).map(([value, text]) => h("option", { value }, text));

/** A form whose fields arrive as one object; the button rests while it is at work.
 * @param {(fields: Record<string, string>) => Promise<unknown>} submit @param {...Child} children
 */
export function form(submit, ...children) {
  const made = h(
    "form",
    {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        const fields = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(made)));
        const buttons = [...made.querySelectorAll("button")];
        buttons.forEach((button) => (button.disabled = true));
        try {
          await doing(() => submit(fields));
        } finally {
          buttons.forEach((button) => (button.disabled = false));
        }
      },
    },
    ...children,
  );
  return made;
}

/** A button that does something. @param {string} text @param {() => Promise<unknown>} act @param {string} [kind] */
export function button(text, act, kind = "") {
  const made = h("button", { type: "button", class: kind }, text);
  made.addEventListener("click", async () => {
    made.disabled = true;
    await doing(act);
    made.disabled = false;
  });
  return made;
}

/** Do something and say what came of it. @param {() => Promise<unknown>} act */
export async function doing(act) {
  say("", "");
  try {
    await act();
  } catch (error) {
    say("", error instanceof Error ? error.message : String(error));
  }
}

/** Tell what was done, or what was refused. @param {string} said @param {string} [refused] */
export function say(said, refused = "") {
  place("said").textContent = said;
  place("refused").textContent = refused;
}

/** An instant of the server, in UTC: operators compare it with logs. @param {string | null} instant */
export const when = (instant) => (instant ? `${instant.slice(0, 10)} ${instant.slice(11, 16)} UTC` : "");
