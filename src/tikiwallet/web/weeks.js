// In and out by week, for the chart: money from and to others, not what moves between one's own places.
import { activities } from "./activity.js";
import { unixNow } from "./platform.js";
import { computed } from "./vendor/ui.js";

export const WEEKS = 8;
const DAY_SECONDS = 86_400;

/**
 * A week that begins at `from` (unix seconds); sums in minor units.
 * @typedef {{ from: number, in: number, out: number }} Week
 */

/**
 * Return the beginning of the week of an instant, on the phone's calendar: Monday, 0:00.
 * @param {number} unixSeconds
 */
function weekOf(unixSeconds) {
  const day = new Date(unixSeconds * 1000);
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - ((day.getDay() + 6) % 7));
  return day.getTime() / 1000;
}

/** The last weeks, oldest first. @type {import("@preact/signals").ReadonlySignal<Week[]>} */
export const weeks = computed(() => {
  const current = weekOf(unixNow());
  // Twelve hours on, so that a week with a change to summer time is still found.
  const starts = Array.from({ length: WEEKS }, (_, at) =>
    weekOf(current - (WEEKS - 1 - at) * 7 * DAY_SECONDS + DAY_SECONDS / 2),
  );
  const found = new Map(starts.map((from) => [from, { from, in: 0, out: 0 }]));
  for (const item of activities.value) {
    const week = item.isTurnover ? found.get(weekOf(item.at)) : undefined;
    if (week && item.minor > 0) week.in += item.minor;
    if (week && item.minor < 0) week.out -= item.minor;
  }
  return [...found.values()];
});
