// Which screen is shown: the part of the address after #, as #/name or #/name/id. Back and reload just work.
import { signal } from "./vendor/ui.js";

/** @typedef {{ name: string, id: string }} Place */

/** @returns {Place} */
function here() {
  const [, name = "", id = ""] = location.hash.split("/");
  return { name, id: decodeURIComponent(id) };
}

/** @type {import("@preact/signals").Signal<Place>} */
export const place = signal(here());

addEventListener("hashchange", () => {
  place.value = here();
  scrollTo(0, 0);
});

/** Show a screen. @param {string} name @param {string} [id] */
export function go(name, id = "") {
  location.hash = id ? `#/${name}/${encodeURIComponent(id)}` : `#/${name}`;
}

/** Show a screen instead of this one, so that "back" does not return here. @param {string} name @param {string} [id] */
export function replace(name, id = "") {
  history.replaceState(null, "", id ? `#/${name}/${encodeURIComponent(id)}` : `#/${name}`);
  place.value = here();
  scrollTo(0, 0);
}

/**
 * Return what tells later whether the same screen is still shown: an answer that comes late takes nobody away from what
 * they went on to.
 */
export function rememberPlace() {
  const { name, id } = place.value;
  return () => place.value.name === name && place.value.id === id;
}
