// Twin of tikicash/messages.py: the documents, how each is written, and how strictly it is read.
//
// Reading checks every field before anybody can act on it, so that the rules (rules.js) deal only with money and never
// with malformed input. Fields, units and limits: protocol/spec/02-documents.md and protocol/tikicash.cddl.
import * as cose from "./cose.js";
import { decode, encode, fromText, hex, toText, unhex } from "./encoding.js";
import { Rejected } from "./errors.js";
import * as kind from "./fields.js";
import { OPENS_MEMO, OPENS_NAME, checked, readBody, readOpening, writeBody } from "./layout.js";
import { sha256 } from "./sha256.js";

/** @import { Certificate, IssuerKey, Opening, Payment, Request, Voucher } from "./bodies.js" */
/** @import { Signer } from "./cose.js" */
/** @import { Value } from "./encoding.js" */

export { OPENS_MEMO, OPENS_NAME };

export const BUNDLE = 7;
export const PROOF = 8;

/**
 * A body, the exact payload bytes, the signature (r and s), and the identity of what was signed: 32 bytes, and the
 * first 16 of them that go on the wire. `type` is the number of the document type.
 * @template T
 * @typedef {Readonly<{ type: number, body: T, payload: Uint8Array, signature: Uint8Array, id: string,
 *   short_id: string }>} Signed
 */
/**
 * What a request code or a payment code carries: documents (each once, parents first), certificates, openings.
 * @typedef {Readonly<{ type: number, documents: readonly Signed<any>[], certificates: readonly Signed<Certificate>[],
 *   openings: readonly Opening[] }>} Bundle
 */
/**
 * Two payments that prove a double spend, with their chains and the issuer keys, so that a root key is enough.
 * @typedef {Readonly<{ type: number, first_id: string, second_id: string, documents: readonly Signed<any>[],
 *   certificates: readonly Signed<Certificate>[], issuer_keys: readonly Signed<IssuerKey>[] }>} Proof
 */
/** @typedef {Signed<any> | Bundle | Proof} Message */

/** @type {Readonly<Record<number, Uint8Array>>} */
const COMMIT_TAG = {
  [OPENS_NAME]: new TextEncoder().encode("TK1/name"),
  [OPENS_MEMO]: new TextEncoder().encode("TK1/memo"),
};

/** Tell whether a document is a voucher. @param {Signed<any>} document @returns {document is Signed<Voucher>} */
export const isVoucher = (document) => document.type === cose.VOUCHER;

/** Tell whether a document is a payment. @param {Signed<any>} document @returns {document is Signed<Payment>} */
export const isPayment = (document) => document.type === cose.PAYMENT;

/** Tell whether a document is a request. @param {Signed<any>} document @returns {document is Signed<Request>} */
export const isRequest = (document) => document.type === cose.REQUEST;

/** Tell whether a message is a bundle. @param {Message} message @returns {message is Bundle} */
export const isBundle = (message) => message.type === BUNDLE;

/** Return the bytes that a document's signature is over (the Sig_structure). @param {Signed<any>} document */
export function messageOf(document) {
  return cose.sigStructure(document.type, document.payload);
}

/** Return how many bytes a document takes inside a bundle. @param {Signed<any>} document */
export function sizeOf(document) {
  return encode([document.payload, document.signature]).length;
}

/** Return the bytes of a document (COSE_Sign1), bundle or proof (CBOR arrays). @param {Message} message */
export function toBytes(message) {
  if ("openings" in message) {
    const openings = message.openings.map((item) => [item.opens, unhex(item.salt), item.text]);
    return encode([BUNDLE, pairs(message.documents), pairs(message.certificates), openings]);
  }
  if ("issuer_keys" in message) {
    const lists = [message.documents, message.certificates, message.issuer_keys].map(pairs);
    return encode([PROOF, unhex(message.first_id), unhex(message.second_id), ...lists]);
  }
  return cose.toSign1(message.payload, message.signature);
}

/**
 * Return a bundle.
 * @param {readonly Signed<any>[]} documents @param {readonly Signed<Certificate>[]} [certificates]
 * @param {readonly Opening[]} [openings] @returns {Bundle}
 */
export function bundle(documents, certificates = [], openings = []) {
  return { type: BUNDLE, documents, certificates, openings };
}

/** Return the 16-byte name of a public key: the start of the SHA-256 of its 33 bytes. @param {string} publicKey */
export function keyId(publicKey) {
  return cose.shortId(hex(sha256(unhex(publicKey))));
}

/**
 * Return the 16 bytes that hide a name or a memo: the start of SHA-256(tag, salt, UTF-8 text).
 * @param {Opening} opening
 */
export function commitment(opening) {
  const hidden = [...COMMIT_TAG[opening.opens], ...unhex(opening.salt), ...new TextEncoder().encode(opening.text)];
  return hex(sha256(Uint8Array.from(hidden))).slice(0, 2 * kind.COMMIT_BYTES);
}

/** Return the commitment of a name under a 16-byte salt. @param {string} salt @param {string} name */
export function nameCommitment(salt, name) {
  return commitment({ opens: OPENS_NAME, salt, text: name });
}

/** Return the commitment of a memo under a 16-byte salt, for a payment. @param {string} salt @param {string} memo */
export function memoCommitment(salt, memo) {
  return commitment({ opens: OPENS_MEMO, salt, text: memo });
}

/**
 * Return a body as a signed document of a type.
 *
 * Throws Rejected("bad_field" or "bad_key") for a body that no reader would take, RangeError for an integer outside
 * 0..2^53-1.
 * @template T
 * @param {number} docType @param {T} body @param {Signer} signer @returns {Promise<Signed<T>>}
 */
export async function sign(docType, body, signer) {
  const payload = writeBody(docType, body);
  readBody(payload);
  return signed(payload, await cose.signDocument(docType, payload, signer));
}

/**
 * Return the document of a payload and a signature, every field checked, the signature not yet.
 *
 * Throws Rejected: bad_cbor, unknown_document, bad_field, bad_key.
 * @param {Uint8Array} payload @param {Uint8Array} signature @returns {Signed<any>}
 */
export function signed(payload, signature) {
  const [type, body] = readBody(payload);
  const id = cose.documentId(type, payload);
  return { type, body, payload, signature, id, short_id: cose.shortId(id) };
}

/**
 * Return the document, bundle or proof that some bytes are.
 *
 * Throws Rejected: bad_header, bad_cbor, unknown_document, bad_field, bad_key.
 * @param {Uint8Array} data @returns {Message}
 */
export function parse(data) {
  if (cose.isSign1(data)) return signed(...cose.fromSign1(data));
  const value = decode(data);
  if (Array.isArray(value)) {
    const [type, ...parts] = value;
    const [first, second, third] = parts;
    if (type === BUNDLE && parts.length === 3 && Array.isArray(third)) return readBundle(first, second, third);
    const isNamed = first instanceof Uint8Array && second instanceof Uint8Array;
    if (type === PROOF && parts.length === 5 && isNamed) return readProof(parts);
  }
  throw new Rejected("unknown_document");
}

/** @param {Value} documents @param {Value} certificates @param {Value[]} openings @returns {Bundle} */
function readBundle(documents, certificates, openings) {
  return {
    type: BUNDLE,
    documents: readDocuments(documents, cose.VOUCHER, cose.PAYMENT, cose.REQUEST),
    certificates: readDocuments(certificates, cose.CERTIFICATE),
    openings: openings.map(readOpening),
  };
}

/** @param {Value[]} parts @returns {Proof} */
function readProof([firstId, secondId, documents, certificates, issuerKeys]) {
  return {
    type: PROOF,
    first_id: checked("first_id", kind.ID, firstId),
    second_id: checked("second_id", kind.ID, secondId),
    documents: readDocuments(documents, cose.VOUCHER, cose.PAYMENT),
    certificates: readDocuments(certificates, cose.CERTIFICATE),
    issuer_keys: readDocuments(issuerKeys, cose.ISSUER_KEY),
  };
}

/** Return what a scanned code says. Throws what fromText and parse throw. @param {string} text */
export function parseCode(text) {
  return parse(fromText(text));
}

/** Return the text of the code that carries a document, bundle or proof. @param {Message} message */
export function toCode(message) {
  return toText(toBytes(message));
}

/** @param {readonly Signed<any>[]} documents @returns {Value[]} */
function pairs(documents) {
  return documents.map((item) => [item.payload, item.signature]);
}

/** @param {Value} value @param {number[]} types @returns {Signed<any>[]} */
function readDocuments(value, ...types) {
  if (!Array.isArray(value)) throw new Rejected("bad_field", "documents");
  const found = value.map((item) => signed(...cose.fromPair(item)));
  if (!found.every((item) => types.includes(item.type))) {
    throw new Rejected("unknown_document", "of a type that does not belong here");
  }
  return found;
}
