// The ways around a camera that is broken or not allowed: paste a code, open a picture or a text file, or drop it here.
import { t } from "../i18n.js";
import { Failure } from "../ui.js";
import { html, useSignal } from "../vendor/ui.js";
import { codesGiven, codesInFile, codesPasted } from "./code-file.js";

/**
 * What takes codes without a camera. `take` gets at least one code, and throws for what it refuses: the sentence is
 * shown.
 * @param {{ take: (codes: string[]) => Promise<unknown>, label: string }} props
 */
export function CodeEntry({ take, label }) {
  const typed = useSignal("");
  const failure = useSignal(/** @type {unknown} */ (null));
  const isOver = useSignal(false);
  const use = async (/** @type {Promise<string[]>} */ given) => {
    failure.value = null;
    try {
      const codes = await given;
      if (codes.length > 0) await take(codes);
    } catch (error) {
      failure.value = error;
    }
  };
  const open = (/** @type {any} */ event) => {
    const [file] = event.target.files;
    event.target.value = ""; // so that the same file can be chosen again
    if (file) void use(codesInFile(file));
  };
  const over = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    isOver.value = true;
  };
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    isOver.value = false;
    void use(codesGiven(event.dataTransfer));
  };
  const pasteFile = (/** @type {ClipboardEvent} */ event) => {
    if (!event.clipboardData?.files.length) return; // text goes into the field, where it can be looked at
    event.preventDefault();
    void use(codesGiven(event.clipboardData));
  };
  return html`<div class=${`code-entry ${isOver.value ? "over" : ""}`} data-name="drop" onDragOver=${over}
    onDragLeave=${() => (isOver.value = false)} onDrop=${drop} onPaste=${pasteFile}>
    <label class="field"><span>${label}</span>
      <textarea rows="3" dir="ltr" autocomplete="off" spellcheck=${false} data-name="code" value=${typed.value}
        onInput=${(/** @type {any} */ event) => (typed.value = event.target.value)}></textarea></label>
    <div class="side-by-side">
      <button type="button" class="button plain" data-name="use-code" disabled=${codesPasted(typed.value).length === 0}
        onClick=${() => use(Promise.resolve(codesPasted(typed.value)))}>${t("use_code")}</button>
      <label class="button plain file">${t("open_file")}
        <input type="file" accept="image/*,text/plain,.txt" data-name="open-file" onChange=${open} /></label>
    </div>
    <${Failure} error=${failure.value} />
  </div>`;
}
