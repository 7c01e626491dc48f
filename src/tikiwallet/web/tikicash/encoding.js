// Twin of tikicash/encoding.py: one value, one encoding. The strict CBOR profile, Base45 and the text of a code.
//
// A document is named by the hash of its bytes. If two byte strings could say the same thing, an honest retry could
// look like a second payment, so this profile has unsigned integers, byte strings, text, arrays and null, definite
// lengths, shortest form, and nothing else. Rules: protocol/spec/01-encoding.md, RFC 8949 section 4.2.1, RFC 9285.
import { Rejected } from "./errors.js";

/** @typedef {number | string | Uint8Array | null | Value[]} Value */

export const INTEGER_MAX = Number.MAX_SAFE_INTEGER; // 2^53 - 1
export const DEPTH_MAX = 4; // bundle, documents, document; payload, pieces, piece
export const BYTES_MAX = 4608; // a proof, the largest thing that is ever encoded
export const PREFIX = "TK1:";
export const TEXT_MAX = PREFIX.length + (BYTES_MAX / 2) * 3;

const BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const NULL = 0xf6;
const toUtf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Return the only encoding of a value. Throws TypeError or RangeError for a value outside the profile: that is a
 * mistake of the caller, not of a peer.
 * @param {Value} value @returns {Uint8Array<ArrayBuffer>}
 */
export function encode(value) {
  /** @type {number[]} */
  const out = [];
  put(out, value, 0);
  return Uint8Array.from(out);
}

/**
 * Return the value of an encoding, or throw Rejected("bad_cbor") for anything but its only encoding.
 *
 * Decodes, encodes again and compares, so that what the reader forgot to refuse is refused by the comparison.
 * @param {Uint8Array} data @returns {Value}
 */
export function decode(data) {
  const [value, end] = take(data, 0, 0);
  if (end !== data.length) throw new Rejected("bad_cbor", "bytes after the end");
  const again = encode(value);
  if (again.length !== data.length || again.some((byte, at) => byte !== data[at])) {
    throw new Rejected("bad_cbor", "not the shortest form");
  }
  return value;
}

/** @param {number[]} out @param {number} major @param {number} argument */
function head(out, major, argument) {
  if (!Number.isSafeInteger(argument) || argument < 0 || Object.is(argument, -0)) {
    throw new RangeError(`integer outside 0..2^53-1: ${argument}`);
  }
  const [extra, size] =
    argument < 24 ? [argument, 0]
    : argument < 2 ** 8 ? [24, 1]
    : argument < 2 ** 16 ? [25, 2]
    : argument < 2 ** 32 ? [26, 4]
    : [27, 8];
  out.push((major << 5) | extra);
  for (let left = size - 1; left >= 0; left--) out.push(Math.floor(argument / 256 ** left) % 256);
}

/** @param {number[]} out @param {Value} value @param {number} depth */
function put(out, value, depth) {
  if (value === null) {
    out.push(NULL);
  } else if (typeof value === "number") {
    head(out, 0, value);
  } else if (value instanceof Uint8Array) {
    head(out, 2, value.length);
    for (const byte of value) out.push(byte);
  } else if (typeof value === "string") {
    if (!value.isWellFormed()) throw new RangeError("text with half a character");
    const text = toUtf8.encode(value);
    head(out, 3, text.length);
    for (const byte of text) out.push(byte);
  } else if (Array.isArray(value)) {
    if (depth === DEPTH_MAX) throw new RangeError("arrays nested too deeply");
    head(out, 4, value.length);
    for (const item of value) put(out, item, depth + 1);
  } else {
    throw new TypeError(`not in the profile: ${typeof value}`);
  }
}

/**
 * Return the number in the head at a position, and where the head ends.
 * @param {Uint8Array} data @param {number} at @returns {[number, number]}
 */
function argumentAt(data, at) {
  const low = data[at] & 31;
  if (low < 24) return [low, at + 1];
  if (low > 27) throw new Rejected("bad_cbor", "indefinite or reserved length");
  const end = at + 1 + 2 ** (low - 24);
  if (end > data.length) throw new Rejected("bad_cbor", "ends too early");
  let argument = 0;
  // Above 2^53 the sum is rounded, but never down to a safe integer.
  for (const byte of data.subarray(at + 1, end)) argument = argument * 256 + byte;
  if (argument > INTEGER_MAX) throw new Rejected("bad_cbor", "integer above 2^53-1");
  return [argument, end];
}

/** @param {Uint8Array} data @param {number} at @param {number} depth @returns {[Value, number]} */
function take(data, at, depth) {
  if (at >= data.length) throw new Rejected("bad_cbor", "ends too early");
  if (data[at] === NULL) return [null, at + 1];
  const major = data[at] >> 5;
  if (![0, 2, 3, 4].includes(major)) throw new Rejected("bad_cbor", "a type outside the profile");
  const [argument, start] = argumentAt(data, at);
  if (major === 0) return [argument, start];
  // Every item takes at least one byte, so this also bounds how long an array can keep us busy.
  if (argument > data.length - start) throw new Rejected("bad_cbor", "ends too early");
  if (major === 4) return takeArray(data, start, argument, depth);
  const body = data.slice(start, start + argument);
  if (major === 2) return [body, start + argument];
  try {
    return [fromUtf8.decode(body), start + argument];
  } catch {
    throw new Rejected("bad_cbor", "text is not UTF-8");
  }
}

/**
 * @param {Uint8Array} data
 * @param {number} at @param {number} count @param {number} depth @returns {[Value[], number]}
 */
function takeArray(data, at, count, depth) {
  if (depth === DEPTH_MAX) throw new Rejected("bad_cbor", "arrays nested too deeply");
  /** @type {Value[]} */
  const items = [];
  for (let taken = 0; taken < count; taken++) {
    const [item, end] = take(data, at, depth + 1);
    items.push(item);
    at = end;
  }
  return [items, at];
}

/**
 * Return the Base45 text of some bytes (RFC 9285): 3 characters for 2 bytes, 2 for a last odd byte.
 * @param {Uint8Array} data
 */
export function base45Encode(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 2) {
    const isPair = at + 1 < data.length;
    let number = isPair ? data[at] * 256 + data[at + 1] : data[at];
    for (let digits = isPair ? 3 : 2; digits > 0; digits--) {
      text += BASE45[number % 45];
      number = Math.floor(number / 45);
    }
  }
  return text;
}

/**
 * Return the bytes of a Base45 text (RFC 9285), or throw Rejected("bad_base45").
 *
 * Strict: only the 45 characters, no length that leaves one over, no group above 65535 or 255.
 * @param {string} text
 */
export function base45Decode(text) {
  if (text.length % 3 === 1) throw new Rejected("bad_base45", "one character left over");
  /** @type {number[]} */
  const data = [];
  for (let at = 0; at < text.length; at += 3) {
    const group = text.slice(at, at + 3);
    let number = 0;
    for (let left = group.length - 1; left >= 0; left--) {
      const digit = BASE45.indexOf(group[left]);
      if (digit < 0) throw new Rejected("bad_base45", "a character outside the alphabet");
      number = number * 45 + digit;
    }
    const size = group.length - 1;
    if (number >= 256 ** size) throw new Rejected("bad_base45", "a group too large");
    if (size === 2) data.push(number >> 8);
    data.push(number & 255);
  }
  return Uint8Array.from(data);
}

/**
 * Return the text of a code: "TK1:" and Base45, which a QR code carries in its alphanumeric mode.
 * @param {Uint8Array} data
 */
export function toText(data) {
  return PREFIX + base45Encode(data);
}

/**
 * Return the bytes of a code's text. Throws Rejected: not_a_code (prefix), code_too_long, bad_base45.
 *
 * Length is judged before any work is done, in characters as people count them and not in halves of surrogate pairs.
 * @param {string} text
 */
export function fromText(text) {
  if (!text.startsWith(PREFIX)) throw new Rejected("not_a_code");
  const length = text.length > 2 * TEXT_MAX ? text.length : [...text].length;
  if (length > TEXT_MAX) throw new Rejected("code_too_long", `${length} characters`);
  return base45Decode(text.slice(PREFIX.length));
}

/**
 * Return bytes as lowercase hex. Ids, keys and nonces are hex throughout the twin, where Python has bytes: they then
 * compare with ===, are keys of a Map, and sort in the same order.
 * @param {Uint8Array} data
 */
export function hex(data) {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return the bytes of lowercase hex. @param {string} text */
export function unhex(text) {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new RangeError("not lowercase hex");
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => parseInt(text.slice(2 * at, 2 * at + 2), 16));
}
