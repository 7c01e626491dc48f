// Every screen by its name, which is its address after "#/". A screen is one line here and one file in screens/.
//
// What a person sees first comes with the app; every other screen is loaded when it is first shown, so that a slow
// network carries only what is needed. The service worker keeps all of them: after one visit none needs a network.
import { Home } from "./screens/home.js";
import { Welcome } from "./screens/welcome.js";

/** @typedef {(props: { id: string }) => any} Screen */
/** @typedef {Readonly<Record<string, () => Promise<Screen>>>} Screens */

/** @type {Screens} */
const FOR_EVERYBODY = {
  welcome: async () => Welcome,
  "sign-up": async () => (await import("./screens/sign-up.js")).SignUp,
  code: async () => (await import("./screens/sign-up.js")).Code,
  "sign-in": async () => (await import("./screens/sign-in.js")).SignIn,
  "forgot-password": async () => (await import("./screens/forgot-password.js")).ForgotPassword,
  help: async () => (await import("./screens/help.js")).Help,
};
/** @type {Screens} */
const FOR_OWNERS = {
  home: async () => Home,
  "get-paid": async () => (await import("./screens/get-paid.js")).GetPaid,
  asked: async () => (await import("./screens/get-paid.js")).Asked,
  "paid-online": async () => (await import("./screens/get-paid.js")).PaidOnline,
  "scan-payment": async () => (await import("./screens/get-paid.js")).ScanPayment,
  verdict: async () => (await import("./screens/verdict.js")).Judged,
  received: async () => (await import("./screens/verdict.js")).Received,
  refused: async () => (await import("./screens/verdict.js")).Refused,
  pay: async () => (await import("./screens/pay.js")).Pay,
  send: async () => (await import("./screens/person.js")).Send,
  confirm: async () => (await import("./screens/confirm.js")).Confirm,
  "confirm-order": async () => (await import("./screens/confirm.js")).ConfirmOrder,
  order: async () => (await import("./screens/order.js")).Order,
  paid: async () => (await import("./screens/paid.js")).Paid,
  "scan-receipt": async () => (await import("./screens/paid.js")).ScanReceipt,
  requests: async () => (await import("./screens/requests.js")).Requests,
  request: async () => (await import("./screens/requests.js")).Request,
  ask: async () => (await import("./screens/person.js")).Ask,
  people: async () => (await import("./screens/person.js")).People,
  person: async () => (await import("./screens/person.js")).Person,
  "give-back": async () => (await import("./screens/give-back.js")).GiveBack,
  move: async () => (await import("./screens/move.js")).Move,
  "top-up": async () => (await import("./screens/top-up.js")).TopUp,
  withdraw: async () => (await import("./screens/top-up.js")).Withdraw,
  operation: async () => (await import("./screens/operation.js")).Operation,
  sync: async () => (await import("./screens/sync.js")).SyncStatus,
  history: async () => (await import("./screens/history.js")).History,
  payment: async () => (await import("./screens/payment.js")).Payment,
  settings: async () => (await import("./screens/settings.js")).Settings,
  keep: async () => (await import("./screens/keep.js")).Keep,
  phones: async () => (await import("./screens/phones.js")).Phones,
  phone: async () => (await import("./screens/phones.js")).PhoneLost,
  account: async () => (await import("./screens/account.js")).Account,
  close: async () => (await import("./screens/account.js")).Close,
  sessions: async () => (await import("./screens/sessions.js")).Sessions,
  protection: async () => (await import("./screens/protection.js")).Protection,
  "change-password": async () => (await import("./screens/change-password.js")).ChangePassword,
  "change-phone": async () => (await import("./screens/change-phone.js")).ChangePhone,
  passkeys: async () => (await import("./screens/passkeys.js")).Passkeys,
  recovery: async () => (await import("./screens/recovery.js")).Recovery,
  pin: async () => (await import("./screens/pin.js")).SetPin,
  unlock: async () => (await import("./screens/pin.js")).Unlock,
  "pin-forgotten": async () => (await import("./screens/pin.js")).PinForgotten,
  export: async () => (await import("./screens/copies.js")).Export,
  bring: async () => (await import("./screens/copies.js")).Bring,
  storage: async () => (await import("./screens/storage.js")).Storage,
  "sign-out": async () => (await import("./screens/sign-out.js")).SignOut,
};

// What works without the PIN: getting paid, and what spends nothing and shows no balance. All the rest, also what comes
// later, is behind it.
const WITHOUT_PIN = [
  "home", "get-paid", "asked", "scan-payment", "verdict", "received", "paid-online", "refused", "sync", "unlock",
  "pin-forgotten",
];

/** @type {Map<string, Screen>} */
const loaded = new Map();

/**
 * Return the name of the screen that is shown for an address: a stranger sees the way in, an owner never meets a
 * screen that does not exist, and who has a PIN gives it before a screen that spends.
 * @param {string} name @param {{ isOwner: boolean, isLocked: boolean }} who
 */
export function shownFor(name, { isOwner, isLocked }) {
  if (Object.hasOwn(FOR_EVERYBODY, name)) return name;
  if (!isOwner) return "welcome";
  if (!Object.hasOwn(FOR_OWNERS, name)) return "home";
  return isLocked && !WITHOUT_PIN.includes(name) ? "unlock" : name;
}

/** Return a screen if it has been loaded. @param {string} name */
export const loadedScreen = (name) => loaded.get(name);

/**
 * Load a screen. Rejects if its file can be had from neither the phone nor the network.
 * @param {string} name one that `shownFor` returned @returns {Promise<Screen>}
 */
export async function loadScreen(name) {
  const screen = await { ...FOR_EVERYBODY, ...FOR_OWNERS }[name]();
  loaded.set(name, screen);
  return screen;
}
