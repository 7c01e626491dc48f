// Home: two big actions, what there is, what is underway, what happened last.
import { activities, openToMe, underway } from "../activity.js";
import { formatCount, t, tCount } from "../i18n.js";
import { go } from "../router.js";
import {
  isHidden, isLocked, isSignedIn, money, notices, offlineMinor, person, toggleHidden, unseen, update,
} from "../state.js";
import { Icon, Logo, Money, Notice, Row, html, useEffect, useSignal } from "../ui.js";
import { isOnline, syncState } from "../wallet/autosync.js";

const SHOWN = 5;
/** @type {[string, string, string][]} */
const SHORTCUTS = [
  ["requests", "ask", "requests"],
  ["people", "people", "people"],
  ["history", "list", "history"],
  ["top-up", "bank", "bank"],
  ["move", "swap", "move"],
  ["sync", "sync", "sync"],
];

export function Home() {
  const waiting = underway.value.map((item) => item.key);
  const newest = activities.value.filter((item) => !waiting.includes(item.key)).slice(0, SHOWN);
  return html`<div class="screen">
    <header class="home-bar"><${Logo} /><h1>${person.value?.username}</h1><${Status} />
      <a class="icon-button" href="#/settings" aria-label=${t("settings")}><${Icon} name="gear" /></a></header>
    <main>
      <${Notices} />
      <${Balances} />
      <nav class="big-actions" aria-label=${t("main_actions")}>
        <a class="big-action" href="#/pay"><${Icon} name="pay" />${t("pay")}</a>
        <a class="big-action get" href="#/get-paid"><${Icon} name="receive" />${t("get_paid")}</a>
      </nav>
      <nav class="shortcuts" aria-label=${t("more_actions")}>${SHORTCUTS.map(
        ([to, icon, key]) => html`<a href=${`#/${to}`}><${Icon} name=${icon} />${t(key)}
          ${to === "requests" && html`<${Badge} />`}</a>`,
      )}</nav>
      ${underway.value.length > 0 &&
      html`<section><div class="section-title"><h2>${t("underway")}</h2></div>
        <ul class="list">${underway.value.map((item) => html`<${Row} key=${item.key} ...${item} />`)}</ul></section>`}
      <section><div class="section-title"><h2>${t("newest")}</h2><a href="#/history">${t("all")}</a></div>
        ${newest.length > 0
          ? html`<ul class="list">${newest.map((item) => html`<${Row} key=${item.key} ...${item} />`)}</ul>`
          : html`<p class="lead">${t("nothing_yet")}</p>`}</section>
    </main>
  </div>`;
}

/** How many people wait for my answer. */
function Badge() {
  const count = openToMe.value.length;
  if (count === 0) return null;
  return html`<b class="badge" data-name="badge"><span aria-hidden="true">${formatCount(count)}</span>
    <span class="unseen">${tCount("requests.waiting", count)}</span></b>`;
}

function Status() {
  const { isRunning } = syncState.value;
  const state = isRunning ? "syncing" : isOnline.value ? "online" : "offline";
  return html`<a class=${`status ${state}`} href="#/sync"><i></i>${t(`status.${state}`)}</a>`;
}

function Balances() {
  const online = money.value?.online[0]?.amount_minor ?? 0;
  return html`<section class="hero" aria-label=${t("balance")}>
    <div class="hero-top"><span>${t("balance")}</span>
      <button type="button" class="icon-button" aria-pressed=${isHidden.value} aria-label=${t("hide")}
        onClick=${isLocked.value ? () => go("unlock") : toggleHidden}>
        <${Icon} name=${isHidden.value ? "hidden" : "eye"} /></button></div>
    <p class="hero-total" data-name="total"><${Money} minor=${online + offlineMinor.value} hideable /></p>
    <div class="hero-parts">
      <a href="#/move"><small>${t("online")}</small><b data-name="online"><${Money} minor=${online} hideable /></b></a>
      <a href="#/move"><small><${Icon} name="offline" />${t("offline")}</small>
        <b data-name="offline"><${Money} minor=${offlineMinor.value} hideable /></b></a>
    </div>
  </section>`;
}

function Notices() {
  const replaceApp = update.value;
  return html`
    ${replaceApp &&
    html`<${Notice}>${t("update.ready")}${" "}
      <button type="button" class="chip" data-name="update" onClick=${replaceApp}>${t("update")}</button><//>`}
    ${!isSignedIn.value && html`<${Notice} kind="warn">${t("signed_out")} <a href="#/sign-in">${t("sign_in")}</a><//>`}
    ${notices.value.length > 0 &&
    html`<${Notice} kind="warn"><span data-name="notices">${t("notices.some")}${" "}
      <a href="#/sessions">${t("notices.look")}</a></span><//>`}
    ${person.value?.state === "frozen" &&
    html`<${Notice} kind="bad">${t("account.frozen")}. <a href="#/account">${t("account")}</a><//>`}
    ${isSignedIn.value && html`<${WhatWaits} />`}
    ${unseen.value.length > 0 &&
    !isOnline.value &&
    html`<${Notice} icon="sync">${t("unseen", { count: unseen.value.length })}<//>`}
  `;
}

/** Rare, so that it is loaded when home stands there already. */
function WhatWaits() {
  const Loaded = useSignal(/** @type {any} */ (null));
  useEffect(() => {
    import("../ui/waiting-changes.js").then(
      (found) => (Loaded.value = found.WaitingChanges),
      (error) => console.error(error), // nothing of home depends on it
    );
  }, []);
  return Loaded.value && html`<${Loaded.value} />`;
}
