// Twin of tikicash/layout.py: where each field stands on the wire, and what it may hold.
//
// One table says the order and the check of every field, so that writing and reading cannot drift apart.
// Text of the rule: protocol/spec/02-documents.md, protocol/tikicash.cddl.
import * as cose from "./cose.js";
import { INTEGER_MAX, decode, encode } from "./encoding.js";
import { Rejected } from "./errors.js";
import * as kind from "./fields.js";

/** @import { Value } from "./encoding.js" */
/** @import { Opening } from "./bodies.js" */
/** @typedef {readonly (readonly [string, kind.Field])[]} Fields */

export const OPENS_NAME = 1;
export const OPENS_MEMO = 2;
export const PIECES_MAX = 16;

/** @type {Fields} */
const PIECE = [["parent_id", kind.SHORT_ID], ["first", kind.AMOUNT_OR_ZERO], ["count", kind.AMOUNT]];
/** @type {Fields} */
const OPENING = [["opens", kind.whole(OPENS_NAME, OPENS_MEMO)], ["salt", kind.SALT], ["text", kind.MEMO]];
/** @type {Fields} */
const ISSUED = [["net", kind.NET], ["issuer", kind.ISSUER]];

/** @type {kind.Field} */
const PIECES = {
  read(value) {
    if (!Array.isArray(value) || value.length < 1 || value.length > PIECES_MAX) {
      throw new kind.Wrong(`is not a list of 1 to ${PIECES_MAX} pieces`);
    }
    return value.map((piece) => inRange(readFields("Piece", PIECE, piece)));
  },
  write: (value) => value.map((/** @type {any} */ piece) => writeFields(PIECE, piece)),
};

/**
 * The name of each document and the order of its fields on the wire, after the type number.
 * @type {Map<number, readonly [string, Fields]>}
 */
const DOCUMENTS = new Map([
  [cose.VOUCHER, ["Voucher", [
    ...ISSUED,
    ["currency", kind.CURRENCY],
    ["first", kind.AMOUNT_OR_ZERO],
    ["count", kind.AMOUNT],
    ["key", kind.PUBLIC_KEY],
    ["issued_at", kind.TIME],
    ["spend_by", kind.TIME],
    ["claim_by", kind.TIME],
    ["payment_max", kind.AMOUNT],
    ["cover", kind.AMOUNT_OR_ZERO],
    ["tier", kind.TIER],
    ["name_commit", kind.optional(kind.COMMIT)],
    ["audience_key", kind.optional(kind.PUBLIC_KEY)],
  ]]],
  [cose.CERTIFICATE, ["Certificate", [
    ...ISSUED,
    ["key", kind.PUBLIC_KEY],
    ["issued_at", kind.TIME],
    ["valid_until", kind.TIME],
    ["tier", kind.TIER],
    ["cover_budget", kind.AMOUNT_OR_ZERO],
    ["may_hand_on", kind.YES_NO],
    ["name_commit", kind.optional(kind.COMMIT)],
  ]]],
  [cose.REQUEST, ["Request", [
    ["net", kind.NET],
    ["currency", kind.CURRENCY],
    ["amount", kind.AMOUNT],
    ["nonce", kind.NONCE],
    ["payee_key", kind.PUBLIC_KEY],
    ["asked_at", kind.TIME],
    ["name", kind.optional(kind.NAME)],
  ]]],
  [cose.PAYMENT, ["Payment", [
    ["net", kind.NET],
    ["currency", kind.CURRENCY],
    ["pieces", PIECES],
    ["total", kind.AMOUNT],
    ["payee_id", kind.SHORT_ID],
    ["nonce", kind.NONCE],
    ["paid_at", kind.TIME],
    ["memo_commit", kind.optional(kind.COMMIT)],
  ]]],
  [cose.RECEIPT, ["Receipt", [["payment_id", kind.SHORT_ID], ["accepted_at", kind.TIME]]]],
  [cose.REFUSAL, ["Refusal", [["payment_id", kind.SHORT_ID], ["reason", kind.REASON]]]],
  [cose.SIGNED_TIME, ["SignedTime", [...ISSUED, ["now", kind.TIME]]]],
  [cose.REVOCATIONS, ["Revocations", [
    ...ISSUED,
    ["epoch", kind.EPOCH],
    ["now", kind.TIME],
    ["entries", kind.REVOKED],
  ]]],
  [cose.ISSUER_KEY, ["IssuerKey", [
    ["net", kind.NET],
    ["number", kind.ISSUER],
    ["key", kind.PUBLIC_KEY],
    ["valid_from", kind.TIME],
    ["valid_until", kind.TIME],
  ]]],
]);

/** Return the name of a document type. @param {number} docType */
export function typeName(docType) {
  const [name] = DOCUMENTS.get(docType) ?? ["?"];
  return name;
}

/**
 * Return the payload of a body: its type number, then its fields in order, as one array.
 * @param {number} docType @param {any} body
 */
export function writeBody(docType, body) {
  const [, fields] = /** @type {[string, Fields]} */ (DOCUMENTS.get(docType));
  return encode([docType, ...writeFields(fields, body)]);
}

/** @param {Fields} fields @param {any} body @returns {Value[]} */
function writeFields(fields, body) {
  return fields.map(([name, field]) => field.write(body[name]));
}

/**
 * Return the type number and the body of a payload, every field checked.
 *
 * Throws Rejected: bad_cbor, unknown_document, bad_field, bad_key.
 * @param {Uint8Array} payload @returns {[number, any]}
 */
export function readBody(payload) {
  const value = decode(payload);
  if (Array.isArray(value) && typeof value[0] === "number") {
    const [docType, ...values] = value;
    const found = DOCUMENTS.get(docType);
    if (found) {
      const [name, fields] = found;
      const body = readFields(name, fields, values);
      return [docType, ordered(docType, docType === cose.VOUCHER ? inRange(body) : body)];
    }
  }
  throw new Rejected("unknown_document");
}

/**
 * Return the opening that a decoded value is, or throw Rejected("bad_field").
 * @param {Value} value @returns {Opening}
 */
export function readOpening(value) {
  const opening = readFields("Opening", OPENING, value);
  if (opening.opens === OPENS_NAME) checked("text", kind.NAME, opening.text);
  return opening;
}

/** @param {string} name @param {Fields} fields @param {Value} values @returns {any} */
function readFields(name, fields, values) {
  if (!Array.isArray(values) || values.length !== fields.length) {
    throw new Rejected("bad_field", `${name} does not have ${fields.length} fields`);
  }
  return Object.fromEntries(fields.map(([field, its], at) => [field, checked(field, its, values[at])]));
}

/** Return a piece or voucher whose last unit has a number that we can hold. @param {any} read */
function inRange(read) {
  if (read.count - 1 > INTEGER_MAX - read.first) throw new Rejected("bad_field", "units above 2^53-1");
  return read;
}

/**
 * Return what a field makes of a value, or throw Rejected("bad_field") with the name of the field.
 * @param {string} name @param {kind.Field} field @param {Value} value
 */
export function checked(name, field, value) {
  try {
    return field.read(value);
  } catch (wrong) {
    if (wrong instanceof kind.Wrong) throw new Rejected("bad_field", `${name} ${wrong.message}`);
    throw wrong;
  }
}

/**
 * Return a body whose dates are in their order, or throw Rejected("bad_field").
 * @param {number} docType @param {any} body
 */
function ordered(docType, body) {
  const inOrder =
    docType === cose.VOUCHER ? body.issued_at < body.spend_by && body.spend_by <= body.claim_by
    : docType === cose.CERTIFICATE ? body.issued_at < body.valid_until
    : docType === cose.ISSUER_KEY ? body.valid_from < body.valid_until
    : true;
  if (!inOrder) throw new Rejected("bad_field", "dates out of order");
  return body;
}
