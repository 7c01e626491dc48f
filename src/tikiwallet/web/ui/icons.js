// Our own icons: one stroke, 24 by 24, drawn with the colour of the text around them. And the logo.
import { html } from "../vendor/ui.js";

/** @type {Readonly<Record<string, string>>} */
const PATHS = {
  pay: "M12 19V5M6 11l6-6 6 6",
  receive: "M12 5v14M6 13l6 6 6-6",
  swap: "M4 8h13l-3-3M20 16H7l3 3",
  plus: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  sync: "M20 11a8 8 0 0 0-14-4L4 9M4 4v5h5M4 13a8 8 0 0 0 14 4l2-2M20 20v-5h-5",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  gear: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  check: "M5 12.5l4.5 4.5L19 7",
  cross: "M6 6l12 12M18 6L6 18",
  shield: "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4",
  alert: "M12 4l9 16H3zM12 10v4M12 17h.01",
  lock: "M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z",
  phone: "M7 3h10v18H7zM11 18h2",
  help: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.7M12 16.5h.01",
  speaker: "M4 10v4h4l5 4V6L8 10zM17 9a4 4 0 0 1 0 6",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  hidden: "M4 4l16 16M9 5.5A10 10 0 0 1 12 5c6 0 10 7 10 7a18 18 0 0 1-3 3.7M6 7.5A17 17 0 0 0 2 12s4 7 10 7l4-.8",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  share: "M12 15V4M8 8l4-4 4 4M5 12v8h14v-8",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l4.5 4.5",
  next: "M9 5l7 7-7 7",
  globe: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
  people: "M9 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 20c0-4 3-6 7-6s7 2 7 6M16 4.5a4 4 0 0 1 0 7M18 14.5c2.5.8 4 2.7 4 5.5",
  ask: "M4 5h16v11H9l-5 4zM9 10.5h6",
  bank: "M3 10l9-6 9 6zM5 10v8M10 10v8M14 10v8M19 10v8M3 20h18",
  undo: "M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  offline: "M4 4l16 16M5 12.5a10 10 0 0 1 4-2.3M8.5 16a5 5 0 0 1 6-.8M2 9l4.3-2.7M11 5a15 15 0 0 1 11 4M12 20h.01",
};

// What points along the line of reading points the other way where that runs from right to left.
const POINTING = ["back", "next", "undo", "list"];

/** An icon; it says nothing to a screen reader, the text beside it does. @param {{ name: string }} props */
export function Icon({ name }) {
  const kind = POINTING.includes(name) ? "icon pointing" : "icon";
  return html`<svg class=${kind} viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

/** The logo: a torch whose flame is two hands of one payment. */
export function Logo() {
  return html`<svg class="logo" viewBox="0 0 48 48" aria-hidden="true">
    <rect class="logo-ground" width="48" height="48" rx="13" />
    <path class="logo-flame" d="M24 7c7 6 9 11 5.5 16.5C28 26 26 27 24 27z" />
    <path class="logo-flame logo-flame-other" d="M24 27c-2 0-4-1-5.5-3.5C16 19 18 13 24 7z" />
    <path class="logo-torch" d="M15 30h18l-3 5h-2.5L26 42h-4l-1.5-7H18z" />
  </svg>`;
}
