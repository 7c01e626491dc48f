// A receipt as a picture, to share or to keep. A picture proves nothing, and it says so on itself.
import { formatMoment, formatMoney, isRightToLeft, language, t } from "../i18n.js";
import { currency } from "../state.js";

/** @import { Story } from "../timeline.js" */

const [WIDTH, MARGIN, LINE] = [720, 56, 64]; // pixels
const COLOURS = { ground: "#0b5d50", paper: "#ffffff", ink: "#14231f", soft: "#55645f", line: "#dcd8cd" };
const FONT = "system-ui, sans-serif";

/**
 * Return what stands on a receipt, as pairs of a label and a value.
 * @param {Story} story @returns {[string, string][]}
 */
export function receiptLines(story) {
  return [
    [t("receipt.from"), story.payer],
    [t("receipt.to"), story.payee],
    [t("receipt.time"), formatMoment(story.at)],
    [t("receipt.how"), t(story.isOffline ? "receipt.offline" : "receipt.online")],
    [t("receipt.status"), story.status],
    ...(story.memo ? [/** @type {[string, string]} */ ([t("receipt.note"), story.memo])] : []),
    [t("receipt.id"), story.id],
  ];
}

/** Draw a receipt and return it as PNG. @param {Story} story @returns {Promise<Blob>} */
export async function drawReceipt(story) {
  const lines = receiptLines(story);
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = 330 + lines.length * LINE + 130;
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const [start, end] = isRightToLeft.value ? [WIDTH - MARGIN, MARGIN] : [MARGIN, WIDTH - MARGIN];
  pen.direction = isRightToLeft.value ? "rtl" : "ltr";
  pen.fillStyle = COLOURS.paper;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = COLOURS.ground;
  pen.fillRect(0, 0, WIDTH, 260);
  write(pen, t("app"), { x: start, y: 78, size: 30, weight: 600, colour: COLOURS.paper });
  write(pen, story.title, { x: start, y: 132, size: 34, weight: 600, colour: COLOURS.paper });
  const amount = formatMoney(Math.abs(story.minor), currency.value);
  write(pen, `${amount} ${currency.value.code}`, { x: start, y: 212, size: 64, weight: 700, colour: COLOURS.paper });
  lines.forEach(([label, value], at) => {
    const y = 330 + at * LINE;
    write(pen, label, { x: start, y, size: 24, weight: 400, colour: COLOURS.soft });
    write(pen, value, { x: end, y, size: 26, weight: 600, colour: COLOURS.ink, isAtEnd: true });
    pen.fillStyle = COLOURS.line;
    pen.fillRect(MARGIN, y + 20, WIDTH - 2 * MARGIN, 1);
  });
  const bottom = 330 + lines.length * LINE + 20;
  write(pen, t("receipt.no_proof"), { x: start, y: bottom, size: 25, weight: 600, colour: COLOURS.ink });
  write(pen, t("receipt.check"), { x: start, y: bottom + 40, size: 23, weight: 400, colour: COLOURS.soft });
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png");
  });
}

/**
 * Write a text on one line, smaller if need be so that it fits.
 * @param {CanvasRenderingContext2D} pen @param {string} text
 * @param {{ x: number, y: number, size: number, weight: number, colour: string, isAtEnd?: boolean }} how
 */
function write(pen, text, { x, y, size, weight, colour, isAtEnd = false }) {
  const room = isAtEnd ? (WIDTH - 2 * MARGIN) * 0.66 : WIDTH - 2 * MARGIN;
  pen.fillStyle = colour;
  pen.textAlign = isAtEnd ? "end" : "start";
  let pixels = size;
  do pen.font = `${weight} ${pixels}px ${FONT}`;
  while (pen.measureText(text).width > room && (pixels -= 1) > 9);
  pen.fillText(text, x, y, room);
}

/** The name of the picture's file. @param {Story} story */
export const receiptName = (story) => `tikiwallet-${story.id.slice(0, 8)}-${language.value}.png`;
