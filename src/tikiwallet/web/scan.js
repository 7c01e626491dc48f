// Look through the camera until a code is there that the caller wants; or through a picture.
import { nextFrame, startCamera, startScanWorker } from "./platform.js";

const PICTURE_PIXELS_MAX = 50_000_000; // the largest that phones take themselves
const LOOKED_AT_FIRST_PX = 1600; // on the longer side: a photo is read in a moment, and most codes are found in it

/**
 * Show the camera in a video element and hand every new text that it reads to `onText`, until the returned function
 * is called. A code that is still in view is handed on once, so that a stale one does not drown the next.
 *
 * Rejects where the camera cannot be used (see platform.startCamera).
 * @param {HTMLVideoElement} video @param {(text: string) => void} onText @returns {Promise<() => void>}
 */
export async function scan(video, onText) {
  const stopCamera = await startCamera(video);
  const worker = startScanWorker();
  let isOn = true;
  const look = async () => {
    let last = "";
    while (isOn) {
      await nextFrame(video);
      if (!isOn || video.videoWidth === 0) continue;
      const text = await read(worker, await createImageBitmap(video));
      if (isOn && text !== null && text !== last) {
        last = text;
        onText(text);
      }
    }
  };
  void look();
  return () => {
    isOn = false;
    worker.terminate();
    stopCamera();
  };
}

/** A picture that is not looked through. `code` is picture_too_large or picture_unreadable. */
export class PictureRefused extends Error {
  name = "PictureRefused";
  /** @param {"picture_too_large" | "picture_unreadable"} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/**
 * Return the text of the code in a picture file, or null. Throws PictureRefused.
 * @param {Blob} file @returns {Promise<string | null>}
 */
export async function readPicture(file) {
  const address = URL.createObjectURL(file);
  const worker = startScanWorker();
  try {
    const picture = await measured(address);
    const { naturalWidth: width, naturalHeight: height } = picture;
    const isLarge = Math.max(width, height) > LOOKED_AT_FIRST_PX;
    const scale = LOOKED_AT_FIRST_PX / Math.max(width, height);
    const small = isLarge && { resizeWidth: Math.ceil(width * scale), resizeHeight: Math.ceil(height * scale) };
    const found = small && (await read(worker, await createImageBitmap(picture, { ...small, resizeQuality: "high" })));
    return found || (await read(worker, await createImageBitmap(picture)));
  } catch (error) {
    if (error instanceof DOMException) throw new PictureRefused("picture_unreadable"); // its measures were all of it
    throw error;
  } finally {
    worker.terminate();
    URL.revokeObjectURL(address);
  }
}

/**
 * Return a picture of which only the measures have been read: a small file can say that it is 60 000 pixels wide, and
 * unpacking it would take all the memory of a phone.
 * @param {string} address @returns {Promise<HTMLImageElement>}
 */
function measured(address) {
  return new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => {
      const isTooLarge = picture.naturalWidth * picture.naturalHeight > PICTURE_PIXELS_MAX;
      if (isTooLarge) reject(new PictureRefused("picture_too_large"));
      else if (picture.naturalWidth === 0) reject(new PictureRefused("picture_unreadable"));
      else resolve(picture);
    };
    picture.onerror = () => reject(new PictureRefused("picture_unreadable"));
    picture.src = address;
  });
}

/** @param {Worker} worker @param {ImageBitmap} picture @returns {Promise<string | null>} */
function read(worker, picture) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = reject;
    worker.postMessage(picture, [picture]);
  });
}
