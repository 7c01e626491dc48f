// Reads QR codes from pictures, beside the page, so that a slow phone goes on moving while it looks.
import { decodeQR } from "./vendor/qr-read.js";

const canvas = new OffscreenCanvas(1, 1);
/** @type {any} */
const settings = { willReadFrequently: true };
const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", settings));

/** Answers each picture with the text of its code, or null. @param {MessageEvent<ImageBitmap>} event */
onmessage = ({ data: picture }) => {
  canvas.width = picture.width;
  canvas.height = picture.height;
  context.drawImage(picture, 0, 0);
  picture.close();
  postMessage(read(context.getImageData(0, 0, canvas.width, canvas.height)));
};

/** @param {ImageData} picture */
function read(picture) {
  try {
    return decodeQR(picture);
  } catch {
    return null; // the library throws for a picture without a code
  }
}
