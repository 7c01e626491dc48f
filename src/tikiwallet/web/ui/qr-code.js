// A code on the screen: drawn on a canvas, as large as fits, always dark on white, whatever the colour scheme.
import { t } from "../i18n.js";
import { canShare, copyText, keepScreenOn, saveFile, shareText } from "../platform.js";
import { encodeQR } from "../vendor/qr-write.js";
import { html, useEffect, useRef, useSignal } from "../vendor/ui.js";
import { Icon } from "./icons.js";

const BORDER = 4; // modules of white around the code, as ISO 18004 wants
const SAVED_SCALE = 8; // pixels for each module of a saved picture

/**
 * A code, and ways to hand it over without a camera. `label` says to a screen reader what it is; `name` becomes the
 * name of a saved file.
 * @param {{ text: string, label: string, name: string }} props
 */
export function QrCode({ text, label, name }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const isCopied = useSignal(false);
  useEffect(() => draw(/** @type {HTMLCanvasElement} */ (canvas.current), text), [text]);
  useEffect(keepScreenOn, []);
  const copy = async () => {
    isCopied.value = await copyText(text);
  };
  const savePicture = async () =>
    saveFile(await asPicture(/** @type {HTMLCanvasElement} */ (canvas.current)), `tikiwallet-${name}.png`);
  const saveText = () => saveFile(new Blob([`${text}\n`], { type: "text/plain" }), `tikiwallet-${name}.txt`);
  return html`<figure class="qr">
    <canvas ref=${canvas} role="img" aria-label=${label} data-code=${text}></canvas>
    <figcaption>
      <${Chip} icon=${isCopied.value ? "check" : "copy"} onPress=${copy}>
        ${t(isCopied.value ? "copied" : "copy_code")}<//>
      ${canShare() && html`<${Chip} icon="share" onPress=${() => shareText(text)}>${t("share_code")}<//>`}
      <${Chip} icon="picture" onPress=${savePicture}>${t("save_picture")}<//>
      <${Chip} icon="list" onPress=${saveText}>${t("save_text")}<//>
    </figcaption>
  </figure>`;
}

/** @param {{ icon: string, onPress: () => unknown, children?: import("preact").ComponentChildren }} props */
function Chip({ icon, onPress, children }) {
  return html`<button type="button" class="chip" onClick=${onPress}><${Icon} name=${icon} />${children}</button>`;
}

/**
 * Return the picture of a code, large enough for any reader.
 * @param {HTMLCanvasElement} canvas @returns {Promise<Blob>}
 */
function asPicture(canvas) {
  const size = canvas.width * SAVED_SCALE;
  const large = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const context = /** @type {CanvasRenderingContext2D} */ (large.getContext("2d"));
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, size, size);
  return new Promise((resolve) => large.toBlob((blob) => resolve(/** @type {Blob} */ (blob)), "image/png"));
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
