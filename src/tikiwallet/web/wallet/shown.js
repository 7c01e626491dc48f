// My request codes, payable online while I show them: the payee's side of "the same button with and without network".
//
// The code on the screen stays what it was. If there is a network, the operator is told that it is shown, and a payer
// with a network pays it online; who comes first wins, and the other way is closed. Between two contacts both can
// happen if two payers scanned the same code: then both paid, and both payments count.
import * as api from "../api.js";
import { unixNow } from "../platform.js";
import { all, exclusive, find, write } from "../store.js";
import { unhex } from "../tikicash/encoding.js";
import { keyId } from "../tikicash/messages.js";
import { toBase64Url } from "./base64url.js";

const FORGET_SECONDS = 600; // after this long no payment that began in time can still be made

/** @import { ShownRequest } from "../api.js" */
/** @import { AskedRow } from "./receiving.js" */

/**
 * A row of the table `shown`: a code of mine that the operator knows; paid since `paid_at` (unix seconds), or not yet.
 * @typedef {{ reference: string, nonce: string, amount_minor: number, shown_at: number, paid_at: number | null,
 *   payer: api.PublicPerson | null, memo: string, transfer_id: string }} Shown
 */

/** Return the server's name of a request code. @param {string} requestRef key id and nonce, in hex */
export const referenceOf = (requestRef) => toBase64Url(unhex(requestRef));

/**
 * Tell the operator that a request is on the screen; return how it stands there.
 *
 * Throws Problem (code_not_yours before this phone is registered), Unreachable.
 * @param {AskedRow} row @param {string} currency @returns {Promise<Shown>}
 */
export async function announce(row, currency) {
  const reference = referenceOf(keyId(row.public_key) + row.nonce);
  // Written first: what the operator may know has to be taken back one day.
  await exclusive(async () => {
    if ((await find("shown", reference)) === null) {
      /** @type {Shown} */
      const put = {
        reference, nonce: row.nonce, amount_minor: row.amount_minor, shown_at: unixNow(), paid_at: null, payer: null,
        memo: "", transfer_id: "",
      };
      await write([{ table: "shown", put }]);
    }
  });
  return note(await api.showCode(reference, { amount_minor: row.amount_minor, currency }));
}

/**
 * Note how a code stands. One that was paid online is closed at once: no payment by code answers it any more.
 * @param {ShownRequest} said @returns {Promise<Shown>}
 */
function note(said) {
  return exclusive(async () => {
    /** @type {Shown} */
    const row = await find("shown", said.reference);
    if (row.paid_at !== null || said.receipt === null) return row;
    const { payer, memo, transfer_id, sent_at } = said.receipt;
    const paid = { ...row, payer, memo, transfer_id, paid_at: Date.parse(sent_at) / 1000 };
    await write([
      { table: "shown", put: paid },
      { table: "asked", remove: row.nonce },
    ]);
    return paid;
  });
}

/** Ask what became of my codes, and take back those that were answered by code or given up. */
export async function settleShown() {
  const rows = /** @type {Shown[]} */ (await all("shown"));
  for (const row of rows.filter((item) => item.paid_at === null)) {
    const isStillAsked = (await find("asked", row.nonce)) !== null;
    try {
      if (isStillAsked) await lookAt(row);
      else await takeBack(row);
    } catch (error) {
      if (error instanceof api.Unreachable) return; // the next contact tells; a sync has more to do than this
      if (!(error instanceof api.Problem)) throw error;
      // Never arrived there, or is being paid this moment: then the next time tells.
      if (error.code === "code_unknown" && !isStillAsked) await forget(row);
    }
  }
}

/**
 * Ask how a code stands that is not on the screen just now. One that can't be paid any more is not asked about again;
 * to show it once more is to tell the operator once more.
 * @param {Shown} row
 */
async function lookAt(row) {
  const said = await api.shownCode(row.reference);
  const isOver = said.state === "expired" && unixNow() > Date.parse(said.payable_until) / 1000 + FORGET_SECONDS;
  await (isOver ? forget(row) : note(said));
}

/** @param {Shown} row */
async function takeBack(row) {
  try {
    await api.cancelShownCode(row.reference);
  } catch (error) {
    if (!(error instanceof api.Problem && error.code === "request_not_open")) throw error;
    await note(await api.shownCode(row.reference)); // somebody paid it online before
    return;
  }
  await forget(row);
}

/** @param {Shown} row */
const forget = (row) => write([{ table: "shown", remove: row.reference }]);
