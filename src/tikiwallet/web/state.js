// What the screens show: signals, filled from the store. Screens read them and never the store itself.
import { readFile } from "./api.js";
import { speakLanguage } from "./i18n.js";
import { nowFor, readBook } from "./wallet/trust.js";
import { isUnlocked } from "./wallet/pin.js";
import { wantedOffline } from "./wallet/keeping.js";
import { waiting } from "./wallet/sync.js";
import { all, fact, remember, write } from "./store.js";
import { batch, computed, signal } from "./vendor/ui.js";

/** @import { HistoryItem, MoneyRequest, MoneyView, Operation, Person } from "./api.js" */
/** @import { Asked } from "./tikicash/rules.js" */
/** @import { Message } from "./tikicash/messages.js" */
/** @import { Paid } from "./wallet/made-payments.js" */
/** @import { AskedRow, Received, RefusedRow } from "./wallet/receiving.js" */
/** @import { Draft, Order } from "./wallet/orders.js" */
/** @import { Shown } from "./wallet/shown.js" */
/** @import { OutboxEntry } from "./wallet/sync.js" */
/** @typedef {{ code: string, number: number, digits: number }} Currency */
/**
 * @template T
 * @typedef {import("@preact/signals").Signal<T>} Signal
 */

/** @type {Signal<{ currencies: Currency[], is_demo: boolean }>} */
export const about = signal({ currencies: [{ code: "XXX", number: 999, digits: 2 }], is_demo: false });
/** The currency of this wallet: the first that the operator offers. */
export const currency = computed(() => about.value.currencies[0]);

/** @type {Signal<Person | null>} */
export const person = signal(null);
/** Whether the server knows who we are; offline money works without. */
export const isSignedIn = signal(false);
/** What the person should know about who is signed in. @type {Signal<import("./api.js").SecurityNotice[]>} */
export const notices = signal([]);
/** @type {Signal<MoneyView | null>} */
export const money = signal(null);
export const moneyHeardAt = signal(0);
/** What this phone can pay with now, in minor units. */
export const offlineMinor = signal(0);
/** @type {Signal<AskedRow[]>} */
export const asked = signal([]);
/** @type {Signal<Received[]>} */
export const received = signal([]);
/** @type {Signal<RefusedRow[]>} */
export const refused = signal([]);
/** @type {Signal<Paid[]>} */
export const paid = signal([]);
/** Online payments that I ordered. @type {Signal<Order[]>} */
export const orders = signal([]);
/** My codes that the operator knows. @type {Signal<Shown[]>} */
export const shown = signal([]);
/** What happened to the online balance, as far as this phone knows. @type {Signal<HistoryItem[]>} */
export const movements = signal([]);
/** Requests for money, by me and to me. @type {Signal<MoneyRequest[]>} */
export const requests = signal([]);
/** Top-ups and withdrawals. @type {Signal<Operation[]>} */
export const operations = signal([]);
/** What was brought to the operator or will be. @type {Signal<OutboxEntry[]>} */
export const brought = signal([]);
/** What the operator has not seen yet. @type {Signal<OutboxEntry[]>} */
export const unseen = signal([]);
/** What the operator does not count. @type {Signal<OutboxEntry[]>} */
export const notCounted = signal([]);

/** What the person's tier may do, as far as this phone heard. @type {Signal<import("./api.js").Limits | null>} */
export const limits = signal(null);
/** What the person wants to have offline. @type {Signal<import("./api.js").Amount | null>} */
export const wanted = signal(null);
/** What the last sync did for it. @type {Signal<import("./wallet/keeping.js").Kept | null>} */
export const kept = signal(null);

/** The PIN that guards paying and balances. @type {Signal<import("./wallet/pin.js").Pin | null>} */
export const pin = signal(null);
export const hasPin = computed(() => pin.value !== null);
/** Whether somebody has to give the PIN first. */
export const isLocked = computed(() => hasPin.value && !isUnlocked.value);
/** The device id of this phone, "" before it was registered. */
export const thisDeviceId = signal("");

const wantsHidden = signal(false);
/** Whether balances are hidden: from people who look over a shoulder, or behind the PIN. */
export const isHidden = computed(() => wantsHidden.value || isLocked.value);
/** Whether the phone says aloud what it found about a payment, and whether it plays a sound. */
export const isSpoken = signal(true);
export const hasSound = signal(true);
/**
 * Whether the browser promised to keep the wallet's storage; null before it was asked.
 * @type {Signal<boolean | null>}
 */
export const isStorageKept = signal(null);
/** Puts a newer version in place, if one is ready. @type {Signal<(() => void) | null>} */
export const update = signal(null);

/** The request that was scanned last, before it is paid. @type {Signal<Asked | null>} */
export const scannedRequest = signal(null);
/** What is about to be paid online, before it is confirmed. @type {Signal<Draft | null>} */
export const draft = signal(null);
/** The payment that was scanned last, before it is taken. @type {Signal<Message | null>} */
export const scannedPayment = signal(null);

/** The newest look at the store whose findings are shown, and the newest that began: an older one shows nothing. */
let shownLook = 0;
let newestLook = 0;

/** Read everything from the store again; called after every change. */
export async function refresh() {
  const look = ++newestLook;
  const [
    who, session, view, heardAt, hidden, book, trust, spoken, sound, tier, target, last, lock, told,
  ] = await Promise.all([
    fact("person"), fact("session"), fact("money"), fact("money_heard_at"), fact("is_hidden"), readBook(),
    fact("trust"), fact("is_spoken"), fact("has_sound"), fact("limits"), wantedOffline(), fact("kept"),
    fact("pin"), fact("notices"),
  ]);
  const [orderRows, shownRows, movementRows, requestItems, operationItems] = await Promise.all([
    all("orders"), all("shown"), all("movements"), fact("requests"), fact("operations"),
  ]);
  const [askedRows, receivedRows, refusedRows, paidRows, outbox, mine, key] = await Promise.all([
    all("asked"), all("received"), all("refused"), all("paid"), all("outbox"), waiting(), activeKey(),
  ]);
  const now = trust ? nowFor(trust) : 0;
  const holdings = book.holdings.filter((item) => item.owner_id === key?.key_id && item.spend_by >= now);
  if (look < shownLook) return; // what was written since it began is on the screen already
  shownLook = look;
  batch(() => {
    person.value = who;
    isSignedIn.value = session !== null;
    notices.value = told ?? [];
    money.value = view;
    moneyHeardAt.value = heardAt ?? 0;
    wantsHidden.value = hidden ?? false;
    pin.value = lock;
    thisDeviceId.value = key?.device_id ?? "";
    limits.value = tier;
    wanted.value = target;
    kept.value = last;
    isSpoken.value = spoken ?? true;
    hasSound.value = sound ?? true;
    offlineMinor.value = holdings.reduce((sum, item) => sum + item.count, 0);
    asked.value = askedRows;
    received.value = receivedRows;
    refused.value = refusedRows;
    paid.value = paidRows;
    orders.value = orderRows;
    shown.value = shownRows;
    movements.value = movementRows.sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
    requests.value = requestItems ?? [];
    operations.value = operationItems ?? [];
    brought.value = outbox;
    unseen.value = mine;
    notCounted.value = outbox.filter((entry) => entry.outcome === "rejected");
  });
}

/** The key in use, if there is one. @returns {Promise<import("./wallet/keys.js").Key | undefined>} */
async function activeKey() {
  return (await all("keys")).find((key) => key.retired_at === null);
}

/** Learn which currencies there are; kept with the app's files, so it works without a network. */
export async function learnAbout() {
  about.value = await readFile("./wallet.json");
}

/** Speak another language from now on. Throws Unreachable and stays with the old one. @param {string} wanted */
export async function chooseLanguage(wanted) {
  await speakLanguage(wanted);
  await write([remember("language", wanted)]);
}

/** Hide or show the balances, for good. */
export const toggleHidden = () => choose("is_hidden", !wantsHidden.value);

const CHOICES = { is_hidden: wantsHidden, is_spoken: isSpoken, has_sound: hasSound };

/** Remember a choice of the person; it shows at once. @param {keyof typeof CHOICES} name @param {boolean} value */
export async function choose(name, value) {
  CHOICES[name].value = value;
  shownLook = newestLook + 1; // looks under way don't know of it
  try {
    await write([remember(name, value)]);
  } finally {
    await refresh();
  }
}
