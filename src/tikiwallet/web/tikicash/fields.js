// Twin of tikicash/fields.py: what a field of a document may hold.
//
// Every field kind has two halves: `read` takes the decoded value and returns it checked, or throws Wrong with what is
// wrong; `write` is the way back to a value that can be encoded. layout.js adds the name of the field.
import { ID_BYTES, KEY_BYTES, SHORT_ID_BYTES, checkPoint } from "./cose.js";
import { INTEGER_MAX, hex, unhex } from "./encoding.js";

/** @import { Value } from "./encoding.js" */
/** @typedef {{ read: (value: Value) => any, write: (value: any) => Value }} Field */

export const NET_MAX = 2 ** 32 - 1;
export const ISSUER_MAX = 65_535;
export const CURRENCY_MAX = 999; // ISO 4217 numeric
export const TIME_MAX = 253_402_300_799; // the last second of the year 9999: later ones break calendars
export const TIER_MAX = 23;
export const NAME_BYTES_MAX = 64;
export const MEMO_BYTES_MAX = 128;
export const NONCE_BYTES = 8;
export const SALT_BYTES = 16;
export const COMMIT_BYTES = 16;
export const REVOKED_BYTES = 8;

const REASON_FORM = /^[a-z][a-z_]{0,39}$/;
// Control characters, and the marks that reorder or hide text: a name could otherwise show as another person's.
const UNSEEN = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;
const toUtf8 = new TextEncoder();

/** What is wrong with a value, to follow the name of its field. */
export class Wrong extends Error {}

/** @param {any} value */
const same = (value) => value;

/**
 * Return the kind of an integer from low to high, both included.
 * @param {number} low @param {number} high @returns {Field}
 */
export function whole(low, high) {
  return {
    read(value) {
      if (typeof value !== "number" || value < low || value > high) {
        throw new Wrong(`is not an integer from ${low} to ${high}`);
      }
      return value;
    },
    write: same,
  };
}

/** Return the kind of a byte string of one size, held as hex. @param {number} size @returns {Field} */
export function octets(size) {
  return {
    read(value) {
      if (!(value instanceof Uint8Array) || value.length !== size) throw new Wrong(`is not ${size} bytes`);
      return hex(value);
    },
    write: unhex,
  };
}

/**
 * Return the kind of text of 1 to bytesMax bytes of UTF-8 in which every character can be seen.
 * @param {number} bytesMax @returns {Field}
 */
export function text(bytesMax) {
  return {
    read(value) {
      const size = typeof value === "string" ? toUtf8.encode(value).length : 0;
      if (typeof value !== "string" || size < 1 || size > bytesMax) {
        throw new Wrong(`is not text of 1 to ${bytesMax} bytes`);
      }
      if (UNSEEN.test(value)) throw new Wrong("has characters that cannot be seen");
      return value;
    },
    write: same,
  };
}

/** Return the kind of null or what the inner kind lets through. @param {Field} inner @returns {Field} */
export function optional(inner) {
  return {
    read: (value) => (value === null ? null : inner.read(value)),
    write: (value) => (value === null ? null : inner.write(value)),
  };
}

const WHOLE_BIT = whole(0, 1);

/** 0 or 1 as a truth value: the profile has no booleans. @type {Field} */
export const YES_NO = { read: (value) => WHOLE_BIT.read(value) === 1, write: (value) => (value ? 1 : 0) };

const KEY_OCTETS = octets(KEY_BYTES);

/** A compressed point on P-256; throws Rejected("bad_key") for 33 bytes that are none. @type {Field} */
export const PUBLIC_KEY = { read: (value) => checkPoint(KEY_OCTETS.read(value)), write: unhex };

/** A refusal's reason: a code of errors.md, or one of a newer version, in the same letters. @type {Field} */
export const REASON = {
  read(value) {
    if (typeof value !== "string" || !REASON_FORM.test(value)) throw new Wrong("is not a code");
    return value;
  },
  write: same,
};

const REVOKED_OCTETS = octets(REVOKED_BYTES);

/** The entries of a revocation list: starts of key ids, 8 bytes each, ascending, each once. @type {Field} */
export const REVOKED = {
  read(value) {
    if (!Array.isArray(value)) throw new Wrong("is not a list");
    const entries = value.map((entry) => REVOKED_OCTETS.read(entry));
    if (entries.some((entry, at) => at > 0 && entries[at - 1] >= entry)) throw new Wrong("is not ascending");
    return entries;
  },
  write: (value) => value.map(unhex),
};

export const NET = whole(1, NET_MAX);
export const ISSUER = whole(1, ISSUER_MAX);
export const CURRENCY = whole(1, CURRENCY_MAX);
export const AMOUNT = whole(1, INTEGER_MAX);
export const AMOUNT_OR_ZERO = whole(0, INTEGER_MAX);
export const TIME = whole(1, TIME_MAX);
export const TIER = whole(0, TIER_MAX);
export const EPOCH = whole(0, NET_MAX);
export const NONCE = octets(NONCE_BYTES);
export const ID = octets(ID_BYTES);
export const SHORT_ID = octets(SHORT_ID_BYTES);
export const COMMIT = octets(COMMIT_BYTES);
export const SALT = octets(SALT_BYTES);
export const NAME = text(NAME_BYTES_MAX);
export const MEMO = text(MEMO_BYTES_MAX);
