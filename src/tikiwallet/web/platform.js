// The phone under the wallet: camera, clock, randomness, storage, sharing, vibration, screen, installing.
//
// Everything that differs between devices is asked for here, so that a native shell later replaces one file, and so
// that nothing else meets a feature that an old browser lacks.
import { hex } from "./tikicash/encoding.js";

const INSTALL_KEY = "tikiwallet.install_id";
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
 * Return the install id of the second place (the first is the database), "" if it is not there.
 *
 * A restored or cloned database knows too little of what its key signed; the two ids then differ. Not a count: a
 * browser writes this place lazily, and power gone between two writes would make an honest phone look restored.
 */
export function installIdBeside() {
  return localStorage.getItem(INSTALL_KEY) ?? "";
}

/** Make a new install id, write it beside the database and return it for the database. */
export function newInstallId() {
  const id = randomHex(INSTALL_ID_BYTES);
  localStorage.setItem(INSTALL_KEY, id);
  return id;
}

/** Ask the browser not to throw the wallet's storage away; return its answer. @returns {Promise<boolean>} */
export async function keepStorage() {
  return (await navigator.storage?.persist?.()) ?? false;
}

/** Return how many bytes the wallet takes on this phone, or null where the browser does not tell. */
export async function storageBytes() {
  return (await navigator.storage?.estimate?.())?.usage ?? null;
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

/** Vibrate: one short pulse, or two for a refusal. @param {"yes" | "no"} meaning */
export function vibrate(meaning) {
  navigator.vibrate?.(meaning === "yes" ? 60 : [60, 90, 60]);
}

/** Say a sentence aloud in a language, if the phone can. @param {string} sentence @param {string} language */
export function speak(sentence, language) {
  if (!("speechSynthesis" in globalThis)) return;
  const said = new SpeechSynthesisUtterance(sentence);
  said.lang = language;
  speechSynthesis.cancel();
  speechSynthesis.speak(said);
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

/**
 * Share a picture by the phone's share sheet; return false where it takes no files.
 * @param {Blob} picture @param {string} name @returns {Promise<boolean>}
 */
export async function sharePicture(picture, name) {
  const files = [new File([picture], name, { type: picture.type })];
  if (!navigator.canShare?.({ files })) return false;
  await navigator.share({ files }).catch(() => undefined); // the person changed their mind
  return true;
}

/** Save a file to the phone's downloads. @param {Blob} file @param {string} name */
export function saveFile(file, name) {
  const address = URL.createObjectURL(file);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser reads it after the click
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

/**
 * Register the service worker, which makes the wallet start without a network.
 * @param {(activate: () => void) => void} onUpdate called when a newer version is ready, with what puts it in place
 */
export async function startServiceWorker(onUpdate) {
  const container = navigator.serviceWorker;
  if (!container) return;
  const registration = await container.register(scripts.createScriptURL("./sw.js"));
  const offer = () => {
    const waiting = registration.waiting;
    if (!waiting || !container.controller) return;
    onUpdate(() => {
      container.addEventListener("controllerchange", () => location.reload(), { once: true });
      waiting.postMessage("activate");
    });
  };
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", offer);
  });
  offer();
}

/** Start the app anew, on the screen where it is. */
export const reload = () => location.reload();

/** Call back when it may be worth trying the network: the page is seen again, or the browser thinks it is back. */
export function onPerhapsOnline(/** @type {() => void} */ callback) {
  addEventListener("online", callback);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") callback();
  });
}
