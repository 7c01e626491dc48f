// The phone under the wallet: camera, clock, randomness, storage, sharing, vibration, screen, installing.
//
// Everything that differs between devices is asked for here, so that a native shell later replaces one file, and so
// that nothing else meets a feature that an old browser lacks.
import { hex } from "./tikicash/encoding.js";

const INSTALL_KEY = "tikiwallet.install_id";
const SIGNED_KEY = "tikiwallet.signed";
const INSTALL_ID_BYTES = 16;

/** Return the phone's clock in unix seconds. */
export const unixNow = () => Math.floor(Date.now() / 1000);

/** Return the languages that the phone's owner reads, the best first, as tags like "fr-SN". */
export const wantedLanguages = () => navigator.languages;

/** Return random bytes as hex. @param {number} size */
export const randomHex = (size) => hex(crypto.getRandomValues(new Uint8Array(size)));

/** Return a random whole number from 0 to 2^48 - 1. */
export const randomNumber = () => parseInt(randomHex(6), 16);

/** Return a fresh random id, as the server wants its Idempotency-Key. */
export const randomId = () => crypto.randomUUID();

/**
 * Return how many payments this install has signed, by the second place.
 *
 * Written after the database has it for sure, so honestly never more than the database says; a browser may write it
 * late and lose some. More than the database says proves that the database is an older state of itself.
 */
export const signedBeside = () => Number(localStorage.getItem(SIGNED_KEY) ?? 0);

/** Note how many payments this install has signed, once the database has it. @param {number} count */
export const noteSigned = (count) => localStorage.setItem(SIGNED_KEY, String(count));

/**
 * Return the install id of the second place (the first is the database), "" if it is not there.
 *
 * A database that was cloned to another browser knows too little of what its key signed; the two ids then differ.
 */
export function installIdBeside() {
  return localStorage.getItem(INSTALL_KEY) ?? "";
}

/** Make a new install id, write it beside the database and return it for the database. */
export function newInstallId() {
  const id = randomHex(INSTALL_ID_BYTES);
  localStorage.setItem(INSTALL_KEY, id);
  noteSigned(0);
  return id;
}

// The first that is found names it: every browser also claims to be some of those after it.
const BROWSERS = {
  Edg: "Edge", OPR: "Opera", SamsungBrowser: "Samsung Internet", Firefox: "Firefox", FxiOS: "Firefox",
  CriOS: "Chrome", Chrome: "Chrome", Safari: "Safari",
};
const SYSTEMS = {
  iPhone: "iPhone", iPad: "iPad", Android: "Android", Windows: "Windows", CrOS: "ChromeOS", Macintosh: "Mac",
  Linux: "Linux",
};

/** Return what this phone is called in its owner's list of phones: its browser and system in short. */
export function phoneName() {
  const found = [BROWSERS, SYSTEMS].map((names) => {
    const mark = Object.keys(names).find((item) => navigator.userAgent.includes(item));
    return mark && /** @type {Record<string, string>} */ (names)[mark];
  });
  return found.filter(Boolean).join(" · ") || "TikiWallet";
}

/**
 * Tell whether this is a tab on an iPhone or iPad, whose storage the system empties after seven days without a visit,
 * and which shares nothing with the wallet on the home screen.
 */
export function isTabThatForgets() {
  return "standalone" in navigator && !navigator.standalone;
}

/** Ask the browser not to throw the wallet's storage away; return its answer. @returns {Promise<boolean>} */
export async function keepStorage() {
  return (await navigator.storage?.persist?.()) ?? false;
}

/**
 * Return how many bytes the wallet takes on this phone and how many it may take, or null where the browser does not
 * tell. @returns {Promise<{ usage: number, quota: number } | null>}
 */
export async function storageBytes() {
  const told = await navigator.storage?.estimate?.();
  return told?.usage === undefined || told.quota === undefined ? null : { usage: told.usage, quota: told.quota };
}

/**
 * Start the rear camera in a video element; return the function that stops it.
 *
 * Rejects with a DOMException: NotAllowedError (the person or the system said no), NotFoundError, NotReadableError.
 * @param {HTMLVideoElement} video @returns {Promise<() => void>}
 */
export async function startCamera(video) {
  if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("no camera here", "NotFoundError");
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: false,
    video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } },
  });
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  try {
    video.srcObject = stream;
    video.muted = true;
    video.playsInline = true;
    await video.play();
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

/** Wait for the next picture of a playing video. @param {HTMLVideoElement} video @returns {Promise<void>} */
export function nextFrame(video) {
  return new Promise((resolve) => {
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(() => resolve());
    else setTimeout(resolve, 66);
  });
}

/** Keep the screen on; return the function that lets it sleep again. Does nothing where the browser cannot. */
export function keepScreenOn() {
  const asked = navigator.wakeLock?.request("screen").catch(() => null);
  return () => void asked?.then((lock) => lock?.release());
}

/** @typedef {"yes" | "careful" | "no"} Meaning */

/** Vibrate: one pulse for yes, two for what needs a decision, three for no. @param {Meaning} meaning */
export function vibrate(meaning) {
  navigator.vibrate?.({ yes: 60, careful: [60, 90, 60], no: [60, 90, 60, 90, 60] }[meaning]);
}

// Hertz of each of two short notes: rising is good, level asks, falling is bad. No file: nothing to load offline.
const NOTES = { yes: [660, 990], careful: [520, 520], no: [330, 220] };
const NOTE_SECONDS = 0.14;
const VOICES_MS = 1000;
/** @type {AudioContext | null} */
let audio = null;

/** Play two notes, where the browser can. @param {Meaning} meaning */
export function playSound(meaning) {
  if (!("AudioContext" in globalThis)) return;
  audio ??= new AudioContext();
  void audio.resume();
  for (const [at, hertz] of NOTES[meaning].entries()) {
    const [note, volume] = [audio.createOscillator(), audio.createGain()];
    const start = audio.currentTime + at * NOTE_SECONDS;
    note.frequency.value = hertz;
    volume.gain.setValueAtTime(0.2, start);
    volume.gain.linearRampToValueAtTime(0, start + NOTE_SECONDS);
    note.connect(volume).connect(audio.destination);
    note.start(start);
    note.stop(start + NOTE_SECONDS);
  }
}

/** Return the voices of this phone, once the browser has looked for them. @returns {Promise<SpeechSynthesisVoice[]>} */
async function findVoices() {
  if (speechSynthesis.getVoices().length > 0) return speechSynthesis.getVoices();
  await new Promise((resolve) => {
    speechSynthesis.addEventListener("voiceschanged", resolve, { once: true });
    setTimeout(resolve, VOICES_MS); // a phone without any never says so
  });
  return speechSynthesis.getVoices();
}

/**
 * Say a sentence aloud with a voice of its language. Silent where the phone has none: a voice of another language would
 * say something that nobody understands.
 * @param {string} sentence @param {string} language
 */
export async function speak(sentence, language) {
  if (!("speechSynthesis" in globalThis)) return;
  // Android writes "sw_KE".
  const voice = (await findVoices()).find((item) => item.lang.toLowerCase().split(/[-_]/)[0] === language);
  if (!voice) return;
  const said = new SpeechSynthesisUtterance(sentence);
  said.lang = voice.lang;
  speechSynthesis.cancel();
  speechSynthesis.speak(said);
}

/** Save a file where the browser puts what it downloads. @param {Blob} file @param {string} name */
export function saveFile(file, name) {
  const address = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser reads it after the click
}

/** Copy text; return whether it worked. @param {string} text @returns {Promise<boolean>} */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Tell whether the phone has a share sheet. */
export const canShare = () => typeof navigator.share === "function";

/** Offer text to the phone's share sheet; nothing happens if the person changes their mind. @param {string} text */
export async function shareText(text) {
  await navigator.share({ text }).catch(() => undefined);
}

/** Tell whether the phone's share sheet takes files. */
export function canShareFile() {
  return navigator.canShare?.({ files: [new File([""], "a.txt", { type: "text/plain" })] }) ?? false;
}

/**
 * Share a file by the phone's share sheet; return false where it takes no files.
 * @param {Blob} file @param {string} name @returns {Promise<boolean>}
 */
export async function shareFile(file, name) {
  const files = [new File([file], name, { type: file.type })];
  if (!navigator.canShare?.({ files })) return false;
  await navigator.share({ files }).catch(() => undefined); // the person changed their mind
  return true;
}

// Trusted Types: only these two files of ours may become code, whatever else goes wrong.
const SCRIPTS = ["./sw.js", "./scan-worker.js"];
/** @type {{ createScriptURL(url: string): string }} */
const scripts = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("tikiwallet", {
  createScriptURL(/** @type {string} */ url) {
    if (!SCRIPTS.includes(url)) throw new TypeError(`not a script of ours: ${url}`);
    return url;
  },
}) ?? { createScriptURL: (url) => url };

/** Start the worker that reads codes. */
export function startScanWorker() {
  return new Worker(scripts.createScriptURL("./scan-worker.js"), { type: "module" });
}

// When the person asked this window for the newer version, across the reload that brings it.
const WANTED_KEY = "tikiwallet.update_wanted_ms";
const WANTED_MAX_MS = 15_000;
// A request in the very milliseconds of the change makes Chromium put it off for minutes; a reload makes it go on.
const CHANGE_MAX_MS = 1_000;

/**
 * Call back when a newer version took over, perhaps in another window, with what starts it in this one: until then
 * the old one works on here, perhaps in the middle of a payment. Starts it at once if the person just asked for it.
 * To be called before anything is awaited, or a change is missed.
 * @param {(takeOver: () => void) => void} onUpdate
 */
export function noticeNewVersion(onUpdate) {
  const container = navigator.serviceWorker;
  let hasVersion = !!container?.controller; // the first is of the files that are shown
  container?.addEventListener("controllerchange", () => {
    const isWanted = Math.abs(Date.now() - Number(sessionStorage.getItem(WANTED_KEY))) < WANTED_MAX_MS;
    if (hasVersion && isWanted) reload();
    else if (hasVersion) onUpdate(reload);
    hasVersion = true;
  });
}

/**
 * Register the service worker, which makes the wallet start without a network.
 * @param {(takeOver: () => void) => void} onUpdate called when a newer version is ready, with what puts it in place
 */
export async function startServiceWorker(onUpdate) {
  const container = navigator.serviceWorker;
  if (!container) return;
  const registration = await container.register(scripts.createScriptURL("./sw.js"));
  const takeOver = () => {
    sessionStorage.setItem(WANTED_KEY, String(Date.now()));
    registration.waiting?.postMessage("activate"); // the one that waits now, perhaps a newer one than was offered
    setTimeout(reload, CHANGE_MAX_MS);
  };
  const offer = () => {
    if (registration.waiting && container.controller) onUpdate(takeOver);
  };
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", offer);
  });
  offer();
}

/** Start the app anew, on the screen where it is. */
export const reload = () => location.reload();

/**
 * Call back every second with how many have passed, by a clock that nobody can set; return what ends it.
 * @param {(seconds: number) => unknown} callback
 */
export function everySecond(callback) {
  let last = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.floor((performance.now() - last) / 1000);
    last += seconds * 1000;
    if (seconds > 0) void callback(seconds);
  }, 1000);
  return () => clearInterval(timer);
}

/**
 * Call back when the page comes back after it was out of sight for so long.
 * @param {number} seconds @param {() => void} callback
 */
export function onHiddenLong(seconds, callback) {
  let [hiddenAt, hiddenUnix] = [0, 0];
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") [hiddenAt, hiddenUnix] = [performance.now(), unixNow()];
    // Both clocks: one stops while some phones sleep, the other can be set back.
    else if (Math.max((performance.now() - hiddenAt) / 1000, unixNow() - hiddenUnix) >= seconds) callback();
  });
}

/** Call back when it may be worth trying the network: the page is seen again, or the browser thinks it is back. */
export function onPerhapsOnline(/** @type {() => void} */ callback) {
  addEventListener("online", callback);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") callback();
  });
}

/** Whether this browser can use passkeys at all. */
export const canUsePasskeys = () => "PublicKeyCredential" in globalThis && !!navigator.credentials;

/**
 * Have a passkey made. Rejects with NotAllowedError if the person says no.
 * @param {PublicKeyCredentialCreationOptions} publicKey
 */
export const createPasskey = async (publicKey) =>
  /** @type {PublicKeyCredential} */ (await navigator.credentials.create({ publicKey }));

/**
 * Have a passkey sign. Rejects with NotAllowedError if the person says no.
 * @param {PublicKeyCredentialRequestOptions} publicKey
 */
export const usePasskey = async (publicKey) =>
  /** @type {PublicKeyCredential} */ (await navigator.credentials.get({ publicKey }));

/** Print what is shown. */
export const printPage = () => globalThis.print();
