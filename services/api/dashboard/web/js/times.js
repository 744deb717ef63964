// `<time data-ago>` says how long ago, and goes on saying it; without scripts it shows the time itself.
import { all, language } from "./page.js";

const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60]];

export function ago(then, now = Date.now()) {
  const seconds = Math.round((then - now) / 1000);
  const [unit, length] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return unit === "second" && Math.abs(seconds) < 10 ? relative.format(0, "second") : relative.format(Math.trunc(seconds / length), unit);
}

// The last second of a day such as 2026-11-20, where clocks show the time of this zone.
export function endOfDay(day, timeZone) {
  const end = Date.parse(`${day}T23:59:59Z`);
  const shown = new Date(end).toLocaleString("sv-SE", { timeZone }).replace(" ", "T");
  return new Date(2 * end - Date.parse(`${shown}Z`)).toISOString();
}

export function refresh(within = document) {
  for (const place of all("time[data-ago]", within)) place.textContent = ago(Date.parse(place.dateTime));
}

refresh();
setInterval(refresh, 20_000);
document.addEventListener("htmx:after:swap", () => refresh());
