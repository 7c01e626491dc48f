// The wallet starts here: what it remembers, its language, its screens, then the network.
import { firstLanguage, speakLanguage, t } from "./i18n.js";
import { keepStorage, noticeNewVersion, startServiceWorker } from "./platform.js";
import { place } from "./router.js";
import { loadScreen, shownFor } from "./screens.js";
import { isLocked, isStorageKept, learnAbout, person, refresh, update } from "./state.js";
import { fact } from "./store.js";
import { html } from "./ui.js";
import { Shown } from "./ui/shown.js";
import { render } from "./vendor/ui.js";
import { startSyncing } from "./wallet/autosync.js";
import { lockWhenLeft } from "./wallet/pin.js";

// The only text that is in no catalogue: the catalogue itself may be what could not be read.
const NOT_STARTED = "TikiWallet could not start here; nothing is lost. Use a network and no private window, and";

const screenNow = () => shownFor(place.value.name, { isOwner: person.value !== null, isLocked: isLocked.value });

function App() {
  const { id } = place.value;
  const name = screenNow();
  document.title = `${t("app")}${person.value ? ` · ${person.value.username}` : ""}`;
  return html`<${Shown} key=${`${name}/${id}`} name=${name} id=${id} />`;
}

/** @param {() => void} takeOver */
const offerUpdate = (takeOver) => void (update.value = takeOver);

async function start() {
  noticeNewVersion(offerUpdate);
  const root = /** @type {HTMLElement} */ (document.getElementById("app"));
  try {
    await Promise.all([speakLanguage((await fact("language")) ?? firstLanguage()), learnAbout(), refresh()]);
  } catch (error) {
    console.error(error);
    render(html`<main role="alert"><p>${NOT_STARTED} <a href="./">try again</a>.</p></main>`, root);
    return;
  }
  await loadScreen(screenNow()).catch(() => undefined); // if it can't be had, the screen itself says so
  render(html`<${App} />`, root);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
  startSyncing();
  lockWhenLeft();
  isStorageKept.value = await keepStorage();
  await startServiceWorker(offerUpdate);
}

void start();
