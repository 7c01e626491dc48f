// Twin of tikicash/errors.py: every "no" of the protocol, a stable code and the sentence of the standard.

/** A document, bundle, code or wish is refused; `code` is a key of SENTENCES, `detail` is for the log. */
export class Rejected extends Error {
  /** @param {string} code @param {string} [detail] */
  constructor(code, detail = "") {
    if (!Object.hasOwn(SENTENCES, code)) throw new TypeError(`no such code: ${code}`);
    super(detail ? `${code}: ${detail}` : code);
    this.name = "Rejected";
    this.code = code;
    this.detail = detail;
  }

  /** What to tell the person, in plain English, with the next step. */
  get sentence() {
    return SENTENCES[this.code];
  }
}

/** @type {Readonly<Record<string, string>>} */
export const SENTENCES = Object.freeze({
  // Reading a code
  not_a_code: "This is not a TikiWallet code. Scan the code on the other phone's TikiWallet screen.",
  code_too_long: "This code is too long to be real. Ask for a fresh code and scan again.",
  bad_base45: "This code was not read whole. Hold the phone still and scan it again.",
  bad_cbor: "This code is damaged. Ask the other person to show it again, and scan again.",
  bad_header: "This code is signed in a way TikiWallet does not use. Update both apps and try again.",
  unknown_document: "This app does not know this kind of code. Update the app and scan again.",
  bad_field: "Something in this code cannot be right. Ask for a fresh code.",
  bad_key: "This code names a key that cannot exist. Ask for a fresh code.",
  // The shape of a bundle
  too_many_documents: "This payment is made of too many parts. Ask the payer to go online once, then pay again.",
  too_many_signatures: "This payment is made of too many parts. Ask the payer to go online once, then pay again.",
  bundle_too_large: "This payment is too large for a code. Ask the payer to go online once, then pay again.",
  too_many_hands: "This money has passed through 3 hands offline. The payer must go online before paying with it.",
  refund_is_claim_only: "This refund can only be credited online. Go online and bring it from the payments list.",
  document_repeated: "This code says one thing twice. Ask for a fresh code.",
  parent_missing: "This payment does not show where its money comes from. Ask the payer to show it again.",
  unrelated_document: "This code carries something that does not belong to it. Ask for a fresh code.",
  opening_matches_nothing: "The name or note in this code does not belong to it. Ask for a fresh code.",
  not_a_payment: "This is not a payment. Scan the code that the payer shows after confirming.",
  not_a_request: "This is not a request. Scan the code that the payee shows to be paid.",
  // Whether it is for me
  wrong_network: "This code belongs to another wallet network. Ask for a code of your own network.",
  wrong_currency: "This is money in another currency. Ask to be paid in the currency you asked for.",
  payment_already_accepted: "You have this payment already. Show the payer your receipt again.",
  no_open_request: "This does not answer a request of yours. Show the payer a new request.",
  not_for_me: "This money goes to another phone. Show the payer your own request.",
  wrong_amount: "The payment is not the amount you asked for. Show the payer a new request.",
  // Whether the operator stands behind it
  issuer_unknown: "Your app cannot tell whether the operator signed this. Go online once, then scan again.",
  spend_by_passed: "This offline money is too old to be passed on. Ask the payer to go online, or pay another way.",
  certificate_expired: "A phone in this payment has not been online for too long. It must go online first.",
  key_revoked: "A phone in this payment is blocked. Do not hand over the goods; ask to be paid another way.",
  operator_signature_wrong: "The operator did not sign this. Do not hand over the goods.",
  // Whether the payment holds
  parents_of_several_owners: "This payment mixes money of several people. Ask the payer to pay again.",
  handed_back_already: "This money was already given back to the operator. Ask to be paid another way.",
  certificate_missing: "This payment does not show that the payer's phone is registered. The payer must go online.",
  payment_signature_wrong: "The owner of this money did not sign this payment. Do not hand over the goods.",
  may_not_hand_on: "The payer's phone may receive money but not pass it on. Ask to be paid another way.",
  piece_outside_parent: "This payment spends more than its owner had. Do not hand over the goods.",
  pieces_overlap: "This payment counts the same money twice. Do not hand over the goods.",
  total_differs: "The parts of this payment do not add up to its total. Do not hand over the goods.",
  locked_to_another: "This money may only go to one other phone. Ask to be paid another way.",
  payment_above_limit: "This is more than this money may pay at once. Ask for two smaller payments.",
  already_held: "You hold this money already, from another payment. Do not hand over the goods; go online.",
  spent_twice: "This money was spent twice, and your phone has the proof. Do not hand over the goods; go online.",
  // Requests and answers
  request_signature_wrong: "The payee did not sign this request. Do not pay; ask for a fresh request.",
  answer_to_another_payment: "This answers another payment. Ask the payee to show the answer to yours.",
  answer_signature_wrong: "The payee did not sign this answer. Keep showing the payment until a receipt comes.",
  // Paying
  not_enough_offline_money: "You do not have enough offline money for this. Go online to load more, or pay less.",
  too_many_pieces: "Your offline money is in too many small parts for this. Pay less, or go online once.",
  // Proofs
  proof_payment_missing: "This proof lacks one of its two payments. Ask for the whole proof.",
  proof_of_several_signers: "Different phones signed these two payments, so they prove nothing.",
  proof_of_different_units: "These two payments spend different money, so they prove nothing.",
  proof_of_honest_payments: "These two payments fit together honestly, so they prove nothing.",
});
