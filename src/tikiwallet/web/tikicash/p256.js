// The points of P-256, as far as keys on the wire need them: 33 bytes there, 65 bytes for WebCrypto.
//
// WebKit refuses to import compressed points, so they are decompressed here (SEC 1 section 2.3.4). Public data only:
// nothing in this file sees a private key.
import { Rejected } from "./errors.js";
import { hex, unhex } from "./encoding.js";

const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const KEPT_MAX = 512;

// The same few keys come back in every code, and a square root takes half a millisecond.
/** @type {Map<string, Uint8Array<ArrayBuffer>>} */
const kept = new Map();

/** @param {bigint} base @param {bigint} exponent */
function power(base, exponent) {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % P;
    if (bit === "1") result = (result * base) % P;
  }
  return result;
}

/** @param {Uint8Array} data */
const toNumber = (data) => BigInt(`0x${hex(data) || "0"}`);

/** @param {bigint} number @returns {Uint8Array<ArrayBuffer>} */
const to32Bytes = (number) => unhex(number.toString(16).padStart(64, "0"));

/**
 * Return the uncompressed point (65 bytes) of a compressed one (33 bytes in hex), or throw Rejected("bad_key").
 * @param {string} publicKey @returns {Uint8Array<ArrayBuffer>}
 */
export function decompress(publicKey) {
  const known = kept.get(publicKey);
  if (known) return known;
  if (!/^0[23][0-9a-f]{64}$/.test(publicKey)) throw new Rejected("bad_key", "not a compressed point");
  const x = BigInt(`0x${publicKey.slice(2)}`);
  const square = (((x * x - 3n) * x + B) % P + P) % P;
  const root = power(square, (P + 1n) / 4n);
  if (x >= P || (root * root) % P !== square) throw new Rejected("bad_key", "not on the curve");
  const y = root % 2n === BigInt(publicKey[1]) % 2n ? root : P - root;
  const point = new Uint8Array(65);
  point[0] = 4;
  point.set(to32Bytes(x), 1);
  point.set(to32Bytes(y), 33);
  if (kept.size >= KEPT_MAX) kept.clear();
  kept.set(publicKey, point);
  return point;
}

/** Return the compressed point (hex) of an uncompressed one (65 bytes). @param {Uint8Array} point */
export function compress(point) {
  return (point[64] % 2 ? "03" : "02") + hex(point.slice(1, 33));
}

/**
 * Return a signature (r and s, 32 bytes each) with s in the lower half, which is as valid and the form that we write.
 * @param {Uint8Array} signature
 */
export function withLowS(signature) {
  const s = toNumber(signature.slice(32));
  if (2n * s <= ORDER) return signature;
  const low = signature.slice();
  low.set(to32Bytes(ORDER - s), 32);
  return low;
}
