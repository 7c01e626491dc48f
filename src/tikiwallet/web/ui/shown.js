// The screen that is shown, once its file is there: at once from the phone, after a moment on a first visit.
import { readFile } from "../api.js";
import { t } from "../i18n.js";
import { reload } from "../platform.js";
import { loadScreen, loadedScreen } from "../screens.js";
import { Button, Notice, Screen, html, useEffect, useSignal } from "../ui.js";

/** @param {{ name: string, id: string }} props the name is one that `shownFor` returned */
export function Shown({ name, id }) {
  const isFailed = useSignal(false);
  const screen = useSignal({ Component: loadedScreen(name) });
  const load = async () => {
    try {
      screen.value = { Component: await loadScreen(name) };
    } catch (error) {
      console.warn(error);
      isFailed.value = true;
    }
  };
  useEffect(() => void (screen.value.Component || load()), []);
  const { Component } = screen.value;
  if (Component) return html`<${Component} id=${id} />`;
  if (isFailed.value) return html`<${NotLoaded} load=${load} />`;
  return html`<${Screen} title=${t("app")}><p class="lead late" role="status">${t("loading")}</p><//>`;
}

/**
 * A screen that could not be had. Either there is no network and this phone has not kept the app yet, or the server has
 * a newer app, in which this file has another name; then the app starts anew. Money is in the store: nothing is lost.
 * @param {{ load: () => Promise<void> }} props
 */
function NotLoaded({ load }) {
  const again = async () => {
    await load();
    await readFile("./wallet.json").then(reload, () => undefined);
  };
  return html`<${Screen} title=${t("app")}>
    <${Notice} kind="warn">${t("screen_not_loaded")}<//>
    <${Button} kind="main" onPress=${again}>${t("try_again")}<//>
  <//>`;
}
