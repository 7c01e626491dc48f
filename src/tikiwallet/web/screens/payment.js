// One payment: where the money is, step by step, and its receipt as a picture.
import { t } from "../i18n.js";
import { saveFile, shareFile } from "../platform.js";
import { Button, Failure, Money, Notice, Screen, html, useSignal } from "../ui.js";
import { drawReceipt, receiptLines, receiptName } from "../ui/receipt-picture.js";
import { Timeline } from "../ui/timeline.js";
import { storyOf } from "../timeline.js";

/** @param {{ id: string }} props of an offline payment or an online transfer */
export function Payment({ id }) {
  const failure = useSignal(/** @type {unknown} */ (null));
  const story = storyOf(id);
  if (!story) {
    return html`<${Screen} title=${t("payment")} back="history"><${Notice} kind="warn">${t("not_here")}<//><//>`;
  }
  const keepPicture = async () => {
    failure.value = null;
    try {
      const [picture, name] = [await drawReceipt(story), receiptName(story)];
      if (!(await shareFile(picture, name))) saveFile(picture, name);
    } catch (error) {
      failure.value = error;
    }
  };
  return html`<${Screen} title=${t("where")} back="history" actions=${html`
      <${Button} kind="main" icon="picture" name="receipt-picture" onPress=${keepPicture}>${t("receipt.picture")}<//>
      ${story.mayGoBack && html`<a class="button" href=${`#/give-back/${id}`}>${t("give_back")}</a>`}
      <div class=${story.code && story.other ? "side-by-side" : ""}>
        ${story.code && html`<a class="button" href=${`#/${story.code.join("/")}`}>${t("payment.codes")}</a>`}
        ${story.other &&
        html`<a class="button" href=${`#/person/${story.other}`}>${t("payment.again", { name: story.other })}</a>`}
      </div>`}>
    <p class="lead">${story.title}</p>
    <p class="total"><${Money} minor=${story.minor} signed /></p>
    <section class="card"><${Timeline} steps=${story.steps} /></section>
    <section class="card"><dl class="facts">${receiptLines(story).map(
      ([label, value]) => html`<dt>${label}</dt><dd>${value}</dd>`,
    )}</dl></section>
    <small>${t("receipt.no_proof")} ${t("receipt.check")}</small>
    <${Failure} error=${failure.value} />
  <//>`;
}
