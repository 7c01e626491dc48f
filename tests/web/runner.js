// Twin of tests/protocol/runner.py: runs one vector. What a vector's JSON means, line by line as in Python.
import { choosePieces, refundPieces } from "../../src/tikiwallet/web/tikicash/coins.js";
import { lineage, traces } from "../../src/tikiwallet/web/tikicash/chain.js";
import { decode, encode, hex, unhex } from "../../src/tikiwallet/web/tikicash/encoding.js";
import { Rejected } from "../../src/tikiwallet/web/tikicash/errors.js";
import { typeName } from "../../src/tikiwallet/web/tikicash/layout.js";
import { BUNDLE, PROOF, parseCode } from "../../src/tikiwallet/web/tikicash/messages.js";
import * as rules from "../../src/tikiwallet/web/tikicash/rules.js";
import * as validity from "../../src/tikiwallet/web/tikicash/validity.js";

const { SETTLEMENT_LIMITS, checkChain, checkIssued, checkIssuerKey } = validity;

/** A value as JSON: bytes as hex; a document without what can be computed from it. */
export function plain(value) {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const left = Object.entries(value).filter(([key]) => !("type" in value && (key === "type" || key === "short_id")));
  return Object.fromEntries(left.map(([key, item]) => [key, plain(item)]));
}

const body = (code) => (code === null ? null : parseCode(code).body);

function nameOf(message) {
  return { [BUNDLE]: "Bundle", [PROOF]: "Proof" }[message.type] ?? typeName(message.type);
}

function runDecode({ input }) {
  const data = unhex(input);
  if (hex(encode(decode(data))) !== input) throw new Error("does not come back");
  return { value: plain(decode(data)) };
}

function runParseCode({ input }) {
  const message = parseCode(input);
  return { type: nameOf(message), message: plain(message) };
}

function acceptContext({ now, context: given }) {
  return {
    net: given.net,
    now,
    newest_signed_time: given.newest_signed_time,
    open_requests: given.open_requests.map(body),
    issuer_keys: given.issuer_keys.map(body),
    revocations: body(given.revocations),
    my_keys: given.my_keys,
    my_certificate: body(given.my_certificate),
    book: given.book,
  };
}

async function runAccept(vector) {
  const check = vector.check === "accept" ? rules.accept : rules.acceptClaim;
  const result = await check(parseCode(vector.input), { context: acceptContext(vector) });
  return {
    payment_id: result.payment.id,
    sale_id: result.sale?.id ?? null,
    payer_id: result.payer_id,
    payer_name: result.payer_name,
    memo: result.memo,
    depth: result.chain.depth,
    how_safe: plain(result.how_safe),
    book: plain(result.book),
    newest_signed_time: result.newest_signed_time,
  };
}

async function runCheckChain({ input, context: given }) {
  const issuerKeys = given.issuer_keys.map(body);
  const chain = await checkChain(parseCode(input), { net: given.net, issuerKeys, limits: SETTLEMENT_LIMITS });
  const lineages = traces(chain.payment, chain.sources).map(lineage);
  return { payment_id: chain.payment.id, depth: chain.depth, lineages };
}

async function runVerifyRequest({ input, now, context: given }) {
  const asked = await rules.verifyRequest(parseCode(input), {
    net: given.net,
    now,
    newest_signed_time: given.newest_signed_time,
    issuer_keys: given.issuer_keys.map(body),
    revocations: body(given.revocations),
  });
  return {
    request_id: asked.request.id,
    certificate_id: asked.certificate?.id ?? null,
    verified_name: asked.verified_name,
  };
}

async function runVerifyAnswer({ check, input, context: given }) {
  const answer = parseCode(input);
  const verify = check === "verify_receipt" ? rules.verifyReceipt : rules.verifyRefusal;
  await verify(answer, { payment: parseCode(given.payment), payeeKey: given.payee_key });
  return plain(answer.body);
}

async function runCheckIssued({ input, context: given }) {
  const document = parseCode(input);
  await checkIssued(document, { issuerKeys: given.issuer_keys.map(body) });
  return plain(document.body);
}

async function runCheckIssuerKey({ input, context: given }) {
  return plain(await checkIssuerKey(parseCode(input), { rootKey: given.root_key }));
}

function runChoosePieces({ input: wanted, context: given }) {
  return plain(choosePieces(given.holdings, wanted.amount, { start: wanted.start }));
}

function runRefundPieces({ input: wanted, now, context: given }) {
  const { sale_id, payee_id } = given;
  const terms = { sale_id, payee_id, certificate: body(given.certificate), now, start: wanted.start };
  return plain(refundPieces(given.holdings, wanted.amount, terms));
}

/** By the name of the check. What is missing here (double_spends, verify_proof) is the operator's work. */
const RUN = {
  decode: runDecode,
  parse_code: runParseCode,
  accept: runAccept,
  accept_claim: runAccept,
  check_chain: runCheckChain,
  verify_request: runVerifyRequest,
  verify_receipt: runVerifyAnswer,
  verify_refusal: runVerifyAnswer,
  check_issued: runCheckIssued,
  check_issuer_key: runCheckIssuerKey,
  choose_pieces: runChoosePieces,
  refund_pieces: runRefundPieces,
};

export const OPERATORS_CHECKS = ["double_spends", "verify_proof"];

/** What the implementation says about a vector, in the form of its `expect`. */
export async function run(vector) {
  try {
    return { accept: await RUN[vector.check](vector) };
  } catch (error) {
    if (error instanceof Rejected) return { reject: error.code };
    throw error;
  }
}
