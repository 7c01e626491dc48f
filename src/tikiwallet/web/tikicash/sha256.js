// SHA-256 (FIPS 180-4), computed at once.
//
// WebCrypto's digest answers later, and documents are named by their hash: every check that reads a name would have to
// wait, and between two waits other code could change what is being checked. Nothing hashed here is secret, so time
// taken tells nobody anything. A test compares it with the platform's own.

/**
 * The first 32 bits of the fractional parts of the roots of the first primes. None is nearer than 2^-7 to the next
 * whole number, so that an engine whose powers are off in the last place (2^-18 here) finds the same.
 * @param {number} power @param {number} count
 */
function rootsOfPrimes(power, count) {
  /** @type {number[]} */
  const primes = [];
  for (let number = 2; primes.length < count; number++) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number);
  }
  return primes.map((prime) => (prime ** power % 1) * 2 ** 32);
}

const START = Uint32Array.from(rootsOfPrimes(1 / 2, 8));
const ROUND = Uint32Array.from(rootsOfPrimes(1 / 3, 64));

/** @param {number} word @param {number} bits */
const turn = (word, bits) => (word >>> bits) | (word << (32 - bits));

/** Return the 32-byte SHA-256 of some bytes. @param {Uint8Array} data */
export function sha256(data) {
  const blocks = Math.ceil((data.length + 9) / 64);
  const padded = new Uint8Array(blocks * 64);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(data.length / 2 ** 29));
  view.setUint32(padded.length - 4, (data.length * 8) >>> 0);
  const state = Uint32Array.from(START);
  const words = new Uint32Array(64);
  for (let at = 0; at < padded.length; at += 64) compress(state, words, view, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => digest.setUint32(4 * index, word));
  return new Uint8Array(digest.buffer);
}

/** @param {Uint32Array} state @param {Uint32Array} words @param {DataView} view @param {number} at */
function compress(state, words, view, at) {
  for (let t = 0; t < 16; t++) words[t] = view.getUint32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const near = words[t - 2];
    const far = words[t - 15];
    const s1 = turn(near, 17) ^ turn(near, 19) ^ (near >>> 10);
    const s0 = turn(far, 7) ^ turn(far, 18) ^ (far >>> 3);
    words[t] = s1 + words[t - 7] + s0 + words[t - 16];
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let t = 0; t < 64; t++) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[t] + words[t]) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => (state[index] += word));
}
