// Look through the camera until a code is there that the caller wants.
import { nextFrame, startCamera, startScanWorker } from "./platform.js";

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

/** Return the text of the code in a picture file, or null. @param {Blob} file @returns {Promise<string | null>} */
export async function readPicture(file) {
  const worker = startScanWorker();
  try {
    return await read(worker, await createImageBitmap(file));
  } finally {
    worker.terminate();
  }
}

/** @param {Worker} worker @param {ImageBitmap} picture @returns {Promise<string | null>} */
function read(worker, picture) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = reject;
    worker.postMessage(picture, [picture]);
  });
}
