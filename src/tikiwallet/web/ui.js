// The pieces that screens are made of. One visual language: style.css has its colours and measures.
import { Problem } from "./api.js";
import { formatDay, formatDecimal, formatMoney, hasText, plainDigits, sentenceOfCode, t, toMinor } from "./i18n.js";
import { go } from "./router.js";
import { about, currency, isHidden } from "./state.js";
import { Icon } from "./ui/icons.js";
import { html, useSignal } from "./vendor/ui.js";

export { Icon, Logo } from "./ui/icons.js";
export { batch, computed, effect, html, signal, useEffect, useRef, useSignal, useState } from "./vendor/ui.js";

/** @typedef {import("preact").ComponentChildren} Children */

/**
 * A screen: a title, a way back, what it shows, and its actions within reach of a thumb.
 * @param {{ title: string, back?: string | null, children?: Children, actions?: Children }} props
 */
export function Screen({ title, back = "home", children, actions }) {
  return html`<div class="screen">
    <header class="bar">
      ${back !== null &&
      html`<a class="icon-button" href=${`#/${back}`} aria-label=${t("back")}><${Icon} name="back" /></a>`}
      <h1>${title}</h1>
    </header>
    <main>${children}</main>
    ${actions && html`<footer class="actions">${actions}</footer>`}
  </div>`;
}

/**
 * A button that does something, which may take a while: meanwhile it cannot be pressed again.
 * @param {{ onPress: () => unknown, children?: Children, kind?: "main" | "plain" | "danger", icon?: string,
 *   disabled?: boolean, name?: string }} props
 */
export function Button({ onPress, children, kind = "plain", icon, disabled = false, name }) {
  const isBusy = useSignal(false);
  const press = async () => {
    isBusy.value = true;
    try {
      await onPress();
    } finally {
      isBusy.value = false;
    }
  };
  return html`<button type="button" class=${`button ${kind}`} data-name=${name} disabled=${disabled || isBusy.value}
    aria-busy=${isBusy.value} onClick=${press}>
    ${icon && html`<${Icon} name=${icon} />`}<span>${children}</span>
  </button>`;
}

/**
 * A form whose button is the main action; Enter sends it too. Shows what went wrong beneath its fields.
 * @param {{ onSend: () => Promise<unknown>, label: string, children?: Children, isReady?: boolean,
 *   tone?: string }} props
 */
export function Form({ onSend, label, children, isReady = true, tone = "main" }) {
  const failure = useSignal(/** @type {unknown} */ (null));
  const isBusy = useSignal(false);
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!isReady || isBusy.value) return;
    isBusy.value = true;
    failure.value = null;
    try {
      await onSend();
    } catch (error) {
      failure.value = error;
    } finally {
      isBusy.value = false;
    }
  };
  return html`<form class="form" onSubmit=${send} novalidate>
    ${children}
    <${Failure} error=${failure.value} />
    <button class=${`button ${tone}`} disabled=${!isReady || isBusy.value} aria-busy=${isBusy.value}
      >${label}</button>
  </form>`;
}

/**
 * A labelled field. `signal` holds what was typed; where only digits are wanted, those of any script are 0 to 9 there.
 * @param {{ label: string, signal: { value: string }, hint?: string, type?: string, autocomplete?: string,
 *   inputmode?: string, maxlength?: number, autofocus?: boolean }} props
 */
export function Field({ label, signal, hint, ...attributes }) {
  const isNumber = attributes.type === "tel" || attributes.inputmode === "numeric";
  const take = (/** @type {string} */ typed) => (signal.value = isNumber ? plainDigits(typed) : typed);
  return html`<label class="field">
    <span>${label}</span>
    <input ...${attributes} value=${signal.value} dir=${isNumber ? "ltr" : undefined}
      onInput=${(/** @type {any} */ event) => take(event.target.value)} />
    ${hint && html`<small>${hint}</small>`}
  </label>`;
}

/**
 * The large field for an amount, in the wallet's currency.
 * @param {{ signal: { value: string }, label: string, hint?: string }} props
 */
export function AmountField({ signal, label, hint }) {
  const { code, digits } = currency.value;
  return html`<label class="amount-field">
    <span>${label}</span>
    <span class="amount-box"><b>${code}</b><input inputmode="decimal" autocomplete="off" maxlength="14" autofocus
      placeholder=${formatDecimal(0, digits)} value=${signal.value} dir="ltr"
      onInput=${(/** @type {any} */ event) => (signal.value = event.target.value)} /></span>
    ${hint && html`<small>${hint}</small>`}
  </label>`;
}

/** Return the minor units that were typed into an amount field, or null. @param {{ value: string }} typed */
export const minorOf = (typed) => toMinor(typed.value, currency.value.digits);

/** An amount in the wallet's currency. @param {{ minor: number, signed?: boolean, hideable?: boolean }} props */
export function Money({ minor, signed = false, hideable = false }) {
  const text = hideable && isHidden.value ? "••••" : formatMoney(minor, currency.value, signed);
  return html`<bdi class="money">${text}</bdi>`;
}

/**
 * A remark with an icon.
 * @param {{ kind?: "info" | "good" | "warn" | "bad", icon?: string, children?: Children }} props
 */
export function Notice({ kind = "info", icon, children }) {
  const shown = icon ?? { info: "clock", good: "check", warn: "alert", bad: "cross" }[kind];
  return html`<div class=${`notice ${kind}`} role=${kind === "bad" ? "alert" : "note"}>
    <${Icon} name=${shown} /><div>${children}</div></div>`;
}

/** What went wrong, as a sentence with a way forward; nothing if nothing did. @param {{ error: unknown }} props */
export function Failure({ error }) {
  if (error === null || error === undefined) return null;
  return html`<${Notice} kind="bad"><span data-code=${codeOf(error)}>${sentenceOf(error)}</span><//>`;
}

/** Return the code of what went wrong. @param {unknown} error */
export function codeOf(error) {
  return error instanceof Error && "code" in error ? String(error.code) : "internal_error";
}

/** Return the sentence for what went wrong, in the person's language. @param {unknown} error */
export function sentenceOf(error) {
  const code = codeOf(error);
  if (error instanceof Problem && error.passed && hasText(`limit.${error.passed.limit}`)) return ofLimit(error.passed);
  if (hasText(`code.${code}`)) return t(`code.${code}`);
  if (error instanceof Error && "sentence" in error) return sentenceOfCode(code, String(error.sentence));
  console.error(error);
  return t("code.internal_error");
}

/** @param {import("./api.js").Passed} passed */
function ofLimit({ limit, left_minor: left = 0, currency: code, resets_at: at }) {
  const ofCode = about.value.currencies.find((item) => item.code === code) ?? currency.value;
  return t(`limit.${limit}`, { left: formatMoney(left, ofCode), at: at ? formatDay(Date.parse(at) / 1000) : "" });
}

/**
 * A choice that is on or off.
 * @param {{ label: string, hint?: string, isOn: boolean, onChange: (isOn: boolean) => unknown, name?: string }} props
 */
export function Switch({ label, hint, isOn, onChange, name }) {
  return html`<label class="switch"><span><b>${label}</b>${hint && html`<small>${hint}</small>`}</span>
    <input type="checkbox" role="switch" data-name=${name} checked=${isOn}
      onChange=${(/** @type {any} */ event) => onChange(event.target.checked)} /></label>`;
}

/**
 * A row of a list: an icon, two lines and an amount.
 * @param {{ icon: string, title: string, detail: string, minor: number, tone?: string, to?: [string, string] }} props
 */
export function Row({ icon, title, detail, minor, tone = "", to }) {
  const open = to && (() => go(...to));
  const inside = html`<span class="row-icon"><${Icon} name=${icon} /></span>
    <span class="row-text"><b>${title}</b><small>${detail}</small></span>
    <${Money} minor=${minor} signed hideable />`;
  if (!open) return html`<li class=${`row ${tone}`}>${inside}</li>`;
  return html`<li><button type="button" class=${`row ${tone}`} onClick=${open}>${inside}</button></li>`;
}
