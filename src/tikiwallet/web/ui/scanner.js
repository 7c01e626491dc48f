// The camera looking for a code, and the ways around a camera that is broken or refused: paste, or a picture.
import { t } from "../i18n.js";
import { readPicture, scan } from "../scan.js";
import { fromText } from "../tikicash/encoding.js";
import { html, useEffect, useRef, useSignal } from "../vendor/ui.js";
import { Failure, Notice, codeOf, sentenceOf } from "../ui.js";

const OTHER_KINDS = ["not_a_payment", "not_a_request", "unknown_document", "answer_to_another_payment", "payee_is_you"];

/**
 * Looks until `onCode` takes a code. `onCode` throws for a code that is refused: the sentence is shown and the camera
 * goes on. The code of the step before may still be in view, so the camera does not complain of a code of another
 * kind; a person who pastes one hears it.
 * @param {{ onCode: (text: string) => Promise<unknown>, hint: string }} props
 */
export function Scanner({ onCode, hint }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const cameraError = useSignal("");
  const failure = useSignal(/** @type {unknown} */ (null));
  const take = async (/** @type {string} */ text, isSeen = false) => {
    try {
      await onCode(text);
    } catch (error) {
      if (!(isSeen && OTHER_KINDS.includes(codeOf(error)))) failure.value = error;
    }
  };
  useEffect(() => {
    /** @type {() => void} */
    let stop = () => undefined;
    let isGone = false;
    scan(/** @type {HTMLVideoElement} */ (video.current), (text) => void (isOurs(text) && take(text, true))).then(
      (stopScan) => {
        stop = stopScan;
        if (isGone) stop();
      },
      (error) => {
        cameraError.value = error instanceof DOMException ? error.name : "AbortError";
      },
    );
    return () => {
      isGone = true;
      stop();
    };
  }, []);
  const isRefused = cameraError.value === "NotAllowedError";
  return html`<section class="scanner">
    ${cameraError.value
      ? html`<${Notice} kind="warn">${isRefused ? t("camera_refused") : t("camera_missing")}<//>`
      : html`<div class="viewfinder"><video ref=${video} playsinline muted></video><i></i></div><p>${hint}</p>`}
    <${Failure} error=${failure.value} />
    <${OtherWays} take=${take} isOpen=${cameraError.value !== ""} />
  </section>`;
}

/** Tell whether a text read by the camera is meant for us; others in view are nobody's mistake. @param {string} text */
function isOurs(text) {
  try {
    fromText(text);
    return true;
  } catch {
    return false;
  }
}

/** @param {{ take: (text: string) => Promise<void>, isOpen: boolean }} props */
function OtherWays({ take, isOpen }) {
  const typed = useSignal("");
  const failure = useSignal("");
  const openPicture = async (/** @type {any} */ event) => {
    const [file] = event.target.files;
    const text = file ? await readPicture(file).catch(sentenceOf) : null;
    failure.value = text === null ? t("no_code_in_picture") : "";
    if (text !== null) await take(text);
  };
  // What people paste often has a line break or blanks around it; blanks inside belong to the code.
  const paste = () => take(typed.value.replace(/[\r\n\t]/g, "").trimStart());
  return html`<details class="other-ways" open=${isOpen}>
    <summary>${t("without_camera")}</summary>
    <label class="field"><span>${t("paste_code")}</span>
      <textarea rows="3" dir="ltr" autocomplete="off" spellcheck=${false} data-name="code" value=${typed.value}
        onInput=${(/** @type {any} */ event) => (typed.value = event.target.value)}></textarea></label>
    <div class="side-by-side">
      <button type="button" class="button plain" data-name="use-code" disabled=${!typed.value}
        onClick=${paste}>${t("use_code")}</button>
      <label class="button plain file">${t("open_picture")}
        <input type="file" accept="image/*" onChange=${openPicture} /></label>
    </div>
    ${failure.value && html`<${Notice} kind="warn">${failure.value}<//>`}
  </details>`;
}
