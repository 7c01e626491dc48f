// The PIN: asked for before paying, set and removed in the settings, and the way out for who forgot it.
import { signIn } from "../api.js";
import { t } from "../i18n.js";
import { everySecond } from "../platform.js";
import { go, place, replace, rememberPlace } from "../router.js";
import { hasPin, person, pin, refresh } from "../state.js";
import { Button, Field, Form, Icon, Notice, Screen, html, useEffect, useSignal } from "../ui.js";
import { keepSession } from "../wallet/session.js";
import { isPin, isUnlocked, removePin, setPin, tryPin, waited } from "../wallet/pin.js";

/** Asks for the PIN in place of a screen that is locked. */
export function Unlock() {
  const typed = useSignal("");
  const isWrong = useSignal(false);
  const left = pin.value?.wait_seconds ?? 0;
  const isWaiting = left > 0;
  useEffect(() => (isWaiting ? everySecond((seconds) => waited(seconds).then(refresh)) : undefined), [isWaiting]);
  useEffect(() => void (isUnlocked.value && place.value.name === "unlock" && replace("home")), [isUnlocked.value]);
  const send = async () => {
    isWrong.value = !(await tryPin(typed.value));
    typed.value = "";
    await refresh();
  };
  return html`<${Screen} title=${t("pin.enter")}>
    <div class="centred"><${Icon} name="lock" /></div>
    <${Form} onSend=${send} label=${t("pin.unlock")} isReady=${isPin(typed.value) && !isWaiting}>
      <${PinField} label=${t("pin")} signal=${typed} />
    <//>
    ${isWrong.value && html`<${Notice} kind="bad"><span data-code="pin_wrong">${t("pin.wrong")}</span><//>`}
    ${isWaiting && html`<${Notice} kind="warn"><span data-name="wait">${t("pin.wait", { seconds: left })}</span><//>`}
    <a class="button" href="#/pin-forgotten">${t("pin.forgotten")}</a>
    <p class="lead">${t("pin.receiving")}</p>
  <//>`;
}

/** Sets, changes or removes the PIN. */
export function SetPin() {
  const [first, second] = [useSignal(""), useSignal("")];
  const isSame = first.value === second.value;
  const save = async () => {
    await setPin(first.value);
    await refresh();
    go("settings");
  };
  const remove = async () => {
    await removePin();
    await refresh();
    go("settings");
  };
  return html`<${Screen} title=${t("pin")} back="settings">
    <p>${t("pin.explained")} <a href="#/help/pin">${t("help.more")}</a></p>
    <${Form} onSend=${save} label=${t(hasPin.value ? "pin.change" : "pin.set")} isReady=${isPin(first.value) && isSame}>
      <${PinField} label=${t("pin.new")} hint=${t("pin.hint")} signal=${first} />
      <${PinField} label=${t("pin.again")} hint=${second.value && !isSame ? t("pin.differ") : ""} signal=${second} />
    <//>
    ${hasPin.value && html`<${Button} kind="danger" name="remove-pin" onPress=${remove}>${t("pin.remove")}<//>`}
  <//>`;
}

/** Removes the PIN for who knows the password. */
export function PinForgotten() {
  const password = useSignal("");
  const isHere = rememberPlace();
  const send = async () => {
    await keepSession(await signIn(person.value?.phone ?? "", password.value));
    await removePin();
    await refresh();
    if (isHere()) replace("home");
  };
  return html`<${Screen} title=${t("pin.forgotten")}>
    <p>${t("pin.forgotten.explained")}</p>
    <${Form} onSend=${send} label=${t("pin.remove")} isReady=${password.value !== ""}>
      <${Field} label=${t("password")} signal=${password} type="password" autocomplete="current-password" />
    <//>
  <//>`;
}

/** @param {{ label: string, hint?: string, signal: { value: string } }} props */
function PinField(props) {
  return html`<${Field} ...${props} type="password" inputmode="numeric" autocomplete="off" maxlength=${8} />`;
}
