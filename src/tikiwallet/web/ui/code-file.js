// Codes that come as text or as a file: pasted, opened, or dropped, where there is no camera or it does not work.
import { readPicture } from "../scan.js";

const FILE_BYTES_MAX = 20_000_000;
const PREFIX = "TK1:";

/** There is no code where one was looked for; the catalogue has a sentence with a way forward for each. */
export class NoCode extends Error {
  name = "NoCode";
  /** @param {"file_too_large" | "file_not_text" | "no_code_in_picture" | "no_code_in_text"} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/**
 * Return the codes in the text of a file: one a line, with comments (#) and blank lines between them. What is no code
 * is returned too, so that a person hears of it. Blanks at the end belong to a code.
 * @param {string} text @returns {string[]}
 */
export function codesIn(text) {
  const lines = linesOf(text).map((line) => line.trimStart());
  return lines.filter((line) => line !== "");
}

/**
 * Return the codes in what was pasted: a single one may have been broken into lines by a messenger.
 * @param {string} text @returns {string[]}
 */
export function codesPasted(text) {
  const codes = codesIn(text);
  const isOneBroken = codes[0]?.startsWith(PREFIX) && codes.filter((line) => line.startsWith(PREFIX)).length === 1;
  return isOneBroken ? [linesOf(text).join("").trimStart()] : codes;
}

/** @param {string} text */
function linesOf(text) {
  const lines = text.replace(/^\uFEFF/, "").replaceAll("\t", "").split(/\r\n|\r|\n/);
  return lines.filter((line) => !line.trimStart().startsWith("#"));
}

/**
 * Return the codes in a file, a picture or a text. Throws NoCode, PictureRefused.
 * @param {Blob} file @returns {Promise<string[]>}
 */
export async function codesInFile(file) {
  if (file.size > FILE_BYTES_MAX) throw new NoCode("file_too_large");
  if (file.type.startsWith("image/")) {
    const text = await readPicture(file);
    if (text === null) throw new NoCode("no_code_in_picture");
    return [text];
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  // What Windows' editors write: UTF-16, told by its byte order mark.
  const [one, two] = bytes;
  const encoding = one === 0xff && two === 0xfe ? "utf-16le" : one === 0xfe && two === 0xff ? "utf-16be" : "utf-8";
  let text;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new NoCode("file_not_text");
  }
  const found = codesIn(text);
  if (found.length === 0) throw new NoCode("no_code_in_text");
  return found;
}

/**
 * Return what was dropped or pasted: the codes of a file, or those of a text; none if it is neither.
 * @param {DataTransfer | null} given @returns {Promise<string[]>}
 */
export async function codesGiven(given) {
  const [file] = given?.files ?? [];
  return file ? codesInFile(file) : codesPasted(given?.getData("text/plain") ?? "");
}
