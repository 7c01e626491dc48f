// A code on the screen: drawn on a canvas, as large as fits, always dark on white, whatever the colour scheme.
import { t } from "../i18n.js";
import { canShare, copyText, keepScreenOn, shareText } from "../platform.js";
import { encodeQR } from "../vendor/qr-write.js";
import { html, useEffect, useRef, useSignal } from "../vendor/ui.js";
import { Icon } from "./icons.js";

const BORDER = 4; // modules of white around the code, as ISO 18004 wants

/**
 * A code, and ways to hand it over without a camera. `label` says to a screen reader what it is.
 * @param {{ text: string, label: string }} props
 */
export function QrCode({ text, label }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const isCopied = useSignal(false);
  useEffect(() => draw(/** @type {HTMLCanvasElement} */ (canvas.current), text), [text]);
  useEffect(keepScreenOn, []);
  const copy = async () => {
    isCopied.value = await copyText(text);
  };
  return html`<figure class="qr">
    <canvas ref=${canvas} role="img" aria-label=${label} data-code=${text}></canvas>
    <figcaption>
      <button type="button" class="chip" onClick=${copy}><${Icon} name=${isCopied.value ? "check" : "copy"} />
        ${isCopied.value ? t("copied") : t("copy_code")}</button>
      ${canShare() && html`<button type="button" class="chip" onClick=${() => shareText(text)}><${Icon} name="share" />
        ${t("share_code")}</button>`}
    </figcaption>
  </figure>`;
}

/** @param {HTMLCanvasElement} canvas @param {string} text */
function draw(canvas, text) {
  const rows = encodeQR(text, "raw", { ecc: "low", encoding: "alphanumeric", border: BORDER });
  canvas.width = canvas.height = rows.length;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const picture = context.createImageData(rows.length, rows.length);
  rows.flat().forEach((isDark, at) => picture.data.set(isDark ? [0, 0, 0, 255] : [255, 255, 255, 255], 4 * at));
  context.putImageData(picture, 0, 0);
}
