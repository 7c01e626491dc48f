// The wallet starts here: what it remembers, its language, its screens, then the network.
import { language, speakLanguage, t } from "./i18n.js";
import { keepStorage, startServiceWorker } from "./platform.js";
import { place } from "./router.js";
import { Asked, GetPaid, ScanPayment } from "./screens/get-paid.js";
import { History } from "./screens/history.js";
import { Home } from "./screens/home.js";
import { Move } from "./screens/move.js";
import { Confirm, Paid, Pay, ScanReceipt } from "./screens/pay.js";
import { Settings } from "./screens/settings.js";
import { SignIn } from "./screens/sign-in.js";
import { Code, SignUp } from "./screens/sign-up.js";
import { SyncStatus } from "./screens/sync.js";
import { TopUp } from "./screens/top-up.js";
import { Judged, Received, Refused } from "./screens/verdict.js";
import { Welcome } from "./screens/welcome.js";
import { isStorageKept, learnAbout, person, refresh, update } from "./state.js";
import { fact } from "./store.js";
import { html } from "./ui.js";
import { render } from "./vendor/ui.js";
import { startSyncing } from "./wallet/autosync.js";

/** @type {Readonly<Record<string, (props: { id: string }) => any>>} */
const FOR_EVERYBODY = { welcome: Welcome, "sign-up": SignUp, code: Code, "sign-in": SignIn };
/** @type {Readonly<Record<string, (props: { id: string }) => any>>} */
const FOR_OWNERS = {
  home: Home,
  "get-paid": GetPaid,
  asked: Asked,
  "scan-payment": ScanPayment,
  verdict: Judged,
  received: Received,
  refused: Refused,
  pay: Pay,
  confirm: Confirm,
  paid: Paid,
  "scan-receipt": ScanReceipt,
  move: Move,
  "top-up": TopUp,
  sync: SyncStatus,
  history: History,
  settings: Settings,
};

function App() {
  const { name, id } = place.value;
  const isKnown = person.value !== null;
  const shown = FOR_EVERYBODY[name] ?? (isKnown ? (FOR_OWNERS[name] ?? Home) : Welcome);
  document.title = `${t("app")}${isKnown ? ` · ${person.value?.username}` : ""}`;
  return html`<${shown} key=${`${name}/${id}/${language.value}`} id=${id} />`;
}

async function start() {
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  try {
    await Promise.all([speakLanguage((await fact("language")) ?? "en"), learnAbout(), refresh()]);
  } catch (error) {
    console.error(error);
    root.dataset.failed = String(error);
    return;
  }
  render(html`<${App} />`, root);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  startSyncing();
  isStorageKept.value = await keepStorage();
  await startServiceWorker((activate) => (update.value = activate));
}

void start();
