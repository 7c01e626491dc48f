// What the server is asked about money in and out. Only screens that load later need it.
import { call, moveMoney, operationPath } from "./api.js";

/** @import { Amount, Operation } from "./api.js" */
/** @import { Change } from "./store.js" */

/** @typedef {{ amount: Amount, fee_minor: number, arriving: Amount }} Quote */
/** @typedef {{ state: "wanted" | "checked" | "ready" | "closed", go_to_url: string }} PayoutAccount */
/**
 * @typedef {{ dispute_id: string, amount: Amount, state: "open" | "won" | "lost", frozen_minor: number,
 *   owed_minor: number }} Dispute
 */

/** @param {Amount} amount @returns {Promise<{ answer: Operation, settled: Change }>} */
export const topUp = (amount) => moveMoney("/v1/top-ups", { amount });

/** @param {Amount} amount @param {number} fee_minor @returns {Promise<{ answer: Operation, settled: Change }>} */
export const withdraw = (amount, fee_minor) => moveMoney("/v1/withdrawals", { amount, fee_minor });

/** @param {Operation} operation @returns {Promise<Operation>} */
export const cancelOperation = ({ kind, operation_id: id }) => call("POST", `${operationPath(kind, id)}/cancellation`);

/** What a withdrawal costs. @param {Amount} amount @returns {Promise<Quote>} */
export const quote = (amount) => call("POST", "/v1/withdrawals/quote", { body: { amount } });

/** How money comes in and out. @returns {Promise<{ provider: string, is_demo: boolean, has_cards: boolean }>} */
export const funding = () => call("GET", "/v1/funding");

/** @returns {Promise<PayoutAccount>} */
export const payoutAccount = () => call("GET", "/v1/payout-account");

/** @returns {Promise<PayoutAccount>} */
export const openPayoutAccount = () => call("POST", "/v1/payout-account");

/** @returns {Promise<{ disputes: Dispute[] }>} */
export const disputes = () => call("GET", "/v1/disputes");
