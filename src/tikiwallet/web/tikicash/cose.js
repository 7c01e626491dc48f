// Twin of tikicash/cose.py: COSE_Sign1 with one algorithm, one header and one public key format.
//
// Every option of a signature format is a way to forge, so nothing here can be chosen: ESP256, a constant protected
// header, an empty unprotected header, and an external_aad that names the document type. A document is named by the
// hash of what was signed and never by its signature: ECDSA is randomised, and (r, n - s) verifies as well as (r, s).
// Sources: RFC 9052 section 4.4, RFC 9864 section 2.1, SEC 1 section 2.3.3; protocol/spec/01-encoding.md.
import { decode, encode, hex, unhex } from "./encoding.js";
import { Rejected } from "./errors.js";
import { decompress, withLowS } from "./p256.js";
import { sha256 } from "./sha256.js";

/** @import { Value } from "./encoding.js" */
/**
 * Whoever holds a private key. The key is the compressed point in hex; a signature is r and s, 32 bytes each.
 * @typedef {{ publicKey: string, sign: (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array> }} Signer
 */
/**
 * @typedef {(publicKey: string, message: Uint8Array<ArrayBuffer>, signature: Uint8Array) => Promise<boolean>} Verify
 */

export const VOUCHER = 1;
export const CERTIFICATE = 2;
export const REQUEST = 3;
export const PAYMENT = 4;
export const RECEIPT = 5;
export const REFUSAL = 6;
export const SIGNED_TIME = 9;
export const REVOCATIONS = 10;
export const ISSUER_KEY = 11;

/** @type {Readonly<Record<number, string>>} */
const EXTERNAL_AAD = {
  [VOUCHER]: "TK1/voucher",
  [CERTIFICATE]: "TK1/certificate",
  [REQUEST]: "TK1/request",
  [PAYMENT]: "TK1/payment",
  [RECEIPT]: "TK1/receipt",
  [REFUSAL]: "TK1/refusal",
  [SIGNED_TIME]: "TK1/signed-time",
  [REVOCATIONS]: "TK1/revocations",
  [ISSUER_KEY]: "TK1/issuer-key",
};

export const KEY_BYTES = 33;
export const SIGNATURE_BYTES = 64;
export const ID_BYTES = 32;
export const SHORT_ID_BYTES = 16;

const PROTECTED = unhex("a10128"); // {1: -9}, the algorithm ESP256
// The profile has no maps, so the constant start of a COSE_Sign1 is compared and written as bytes:
// array of 4, the protected header as a byte string, the empty map.
const SIGN1_START = unhex("8443a10128a0");
const PAIR_START = 0x82;
const ALGORITHM = Object.freeze({ name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" });
const toUtf8 = new TextEncoder();

/**
 * Return a Signer over a WebCrypto private key.
 * @param {CryptoKey} privateKey @param {string} publicKey @returns {Signer}
 */
export function privateKeySigner(privateKey, publicKey) {
  const sign = async (/** @type {Uint8Array<ArrayBuffer>} */ message) =>
    withLowS(new Uint8Array(await crypto.subtle.sign(ALGORITHM, privateKey, message)));
  return { publicKey, sign };
}

/** Return a public key that is a compressed point on P-256, or throw Rejected("bad_key"). @param {string} publicKey */
export function checkPoint(publicKey) {
  decompress(publicKey);
  return publicKey;
}

/**
 * Return the bytes that are signed and hashed: RFC 9052 section 4.4, with the external_aad of the type.
 * @param {number} docType @param {Uint8Array} payload
 */
export function sigStructure(docType, payload) {
  return encode(["Signature1", PROTECTED, toUtf8.encode(EXTERNAL_AAD[docType]), payload]);
}

/**
 * Return the 32-byte identity of a document in hex: the SHA-256 of its Sig_structure, signature not included.
 * @param {number} docType @param {Uint8Array} payload
 */
export function documentId(docType, payload) {
  return hex(sha256(sigStructure(docType, payload)));
}

/** Return the 16 bytes of a 32-byte identity that go on the wire, in hex. @param {string} document */
export function shortId(document) {
  return document.slice(0, 2 * SHORT_ID_BYTES);
}

/**
 * Return the 64-byte signature of a payload as a document of a type.
 * @param {number} docType @param {Uint8Array} payload @param {Signer} signer
 */
export async function signDocument(docType, payload, signer) {
  const signature = await signer.sign(sigStructure(docType, payload));
  if (signature.length !== SIGNATURE_BYTES) throw new RangeError(`signature of ${signature.length} bytes`);
  return signature;
}

/**
 * Tell whether a 64-byte signature of a message is of a key; both (r, s) and (r, n - s) are.
 *
 * Throws Rejected("bad_key") for a key that is none.
 * @type {Verify}
 */
export async function verifySignature(publicKey, message, signature) {
  const point = decompress(publicKey);
  if (signature.length !== SIGNATURE_BYTES) return false;
  const key = await crypto.subtle.importKey("raw", point, ALGORITHM, false, ["verify"]);
  return crypto.subtle.verify(ALGORITHM, key, Uint8Array.from(signature), message);
}

/**
 * Return an untagged COSE_Sign1 (RFC 9052 section 4.2) that any COSE library reads.
 * @param {Uint8Array} payload @param {Uint8Array} signature
 */
export function toSign1(payload, signature) {
  return Uint8Array.from([...SIGN1_START, ...encode(payload), ...encode(signature)]);
}

/**
 * Tell whether bytes begin as a COSE_Sign1 does: an array of four that starts with a byte string.
 * @param {Uint8Array} data
 */
export function isSign1(data) {
  return data.length > 1 && data[0] === SIGN1_START[0] && data[1] >> 5 === 2;
}

/**
 * Return payload and signature of a COSE_Sign1 with exactly our header.
 *
 * Throws Rejected: bad_header, bad_cbor, bad_field.
 * @param {Uint8Array} data
 */
export function fromSign1(data) {
  if (!SIGN1_START.every((byte, at) => byte === data[at])) throw new Rejected("bad_header");
  return fromPair(decode(Uint8Array.from([PAIR_START, ...data.subarray(SIGN1_START.length)])));
}

/**
 * Return payload and signature of a document inside a bundle: [payload, signature], headers left out.
 *
 * The headers are constant, so a bundle saves their 5 bytes per document. Throws Rejected("bad_field").
 * @param {Value} value @returns {[Uint8Array, Uint8Array]}
 */
export function fromPair(value) {
  if (Array.isArray(value) && value.length === 2) {
    const [payload, signature] = value;
    if (payload instanceof Uint8Array && signature instanceof Uint8Array && signature.length === SIGNATURE_BYTES) {
      return [payload, signature];
    }
  }
  throw new Rejected("bad_field", "document");
}
