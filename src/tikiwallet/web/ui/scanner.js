// The camera looking for a code, and the ways around a camera that is broken or refused.
import { t } from "../i18n.js";
import { scan } from "../scan.js";
import { fromText } from "../tikicash/encoding.js";
import { html, useEffect, useRef, useSignal } from "../vendor/ui.js";
import { Failure, Notice, codeOf } from "../ui.js";
import { CodeEntry } from "./other-ways.js";

const OTHER_KINDS = ["not_a_payment", "not_a_request", "unknown_document", "answer_to_another_payment", "payee_is_you"];

/** A file with several codes was opened where one is wanted. */
class SeveralCodes extends Error {
  name = "SeveralCodes";
  code = "several_codes";
}

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
  const see = async (/** @type {string} */ text) => {
    if (!isOurs(text)) return;
    try {
      await onCode(text);
    } catch (error) {
      if (!OTHER_KINDS.includes(codeOf(error))) failure.value = error;
    }
  };
  const take = async (/** @type {string[]} */ codes) => {
    failure.value = null;
    if (codes.length > 1) throw new SeveralCodes();
    await onCode(codes[0]);
  };
  useEffect(() => {
    /** @type {() => void} */
    let stop = () => undefined;
    let isGone = false;
    scan(/** @type {HTMLVideoElement} */ (video.current), (text) => void see(text)).then(
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
    <details class="other-ways" open=${cameraError.value !== ""}>
      <summary>${t("without_camera")}</summary>
      <${CodeEntry} take=${take} label=${t("paste_code")} />
    </details>
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
