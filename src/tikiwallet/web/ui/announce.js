// Tell the payee what their own phone found: aloud, by a sound, by the vibrator.
//
// At a loud counter, or for who cannot read, the voice is the receipt. It is this phone's own word, said only after it
// has verified the payment itself: a payer's phone can show anything and say anything.
import { formatMoney, language, t } from "../i18n.js";
import { playSound, speak, vibrate } from "../platform.js";
import { currency, hasSound, isSpoken } from "../state.js";

/** @typedef {"final" | "protected" | "risk" | "received" | "refused"} Finding */

/** @type {Readonly<Record<Finding, import("../platform.js").Meaning>>} */
const MEANING = { final: "yes", protected: "yes", received: "yes", risk: "careful", refused: "no" };

/** Say what was found about a payment of so many minor units. @param {Finding} finding @param {number} amountMinor */
export function announce(finding, amountMinor) {
  tell(MEANING[finding], t(`spoken.${finding}`, { amount: formatMoney(amountMinor, currency.value) }));
}

/**
 * Say a sentence as the person wants it said.
 * @param {import("../platform.js").Meaning} meaning @param {string} sentence
 */
export function tell(meaning, sentence) {
  vibrate(meaning);
  if (hasSound.value) playSound(meaning);
  if (isSpoken.value) void speak(sentence, language.value);
}
