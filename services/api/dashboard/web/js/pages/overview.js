// The overview: the chart, which follows what happens, and the key for the clipboard.
import uPlot from "uplot";

import { call } from "../calls.js";
import { copy } from "../copying.js";
import { all, api, find, language, made, say } from "../page.js";
import { theKey } from "../keys.js";
import { toast } from "../toasts.js";

const SERIES = [
  ["sent", "--color-primary"],
  ["delivered", "--color-success"],
  ["read", "--color-info"],
  ["received", "--color-accent"],
  ["failed", "--color-error"],
];
const HEIGHT = 240;
const FORMATS = { hour: { hour: "2-digit", minute: "2-digit" }, day: { day: "numeric", month: "short" } };
const REFRESHED_AT_MOST_MS = 3000;

const place = find("[data-chart]");
let bucket = "hour";
let chart = null;
let shown = null;
let waiting = 0;

async function load() {
  try {
    const { data } = await call("GET", `${api}/stats?bucket=${bucket}`);
    shown = data;
    draw();
  } catch (refused) {
    toast("error", refused.message);
  }
}

function draw() {
  const times = shown.series.map(({ at }) => Date.parse(at) / 1000);
  const values = SERIES.map(([name]) => shown.series.map((span) => span[name]));
  find("[data-chart-empty]").hidden = values.some((each) => each.some(Boolean));
  chart?.destroy();
  chart = new uPlot(options(), [times, ...values], place);
  legend();
}

function options() {
  const style = getComputedStyle(document.body);
  const text = style.getPropertyValue("--color-base-content");
  const lines = style.getPropertyValue("--color-base-300");
  const axis = { stroke: text, grid: { stroke: lines, width: 1 }, ticks: { show: false }, font: `12px ${style.fontFamily}` };
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), shown.timeZone),
    scales: { y: { range: (_, low, high) => [0, Math.max(4, high * 1.1)] } },
    axes: [
      { ...axis, grid: { show: false }, values: (_, ticks) => ticks.map(label), space: 70, size: 28 },
      { ...axis, size: 48, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6], values: (_, ticks) => ticks.map((tick) => tick.toLocaleString(language)) },
    ],
    series: [
      {},
      ...SERIES.map(([name, colour]) => ({
        show: shown.series.some((span) => span[name]),
        label: say(`js.chart.${name}`),
        stroke: style.getPropertyValue(colour),
        width: 2,
        fill: name === "sent" ? `color-mix(in oklab, ${style.getPropertyValue(colour)} 12%, transparent)` : undefined,
        points: { show: false },
        paths: uPlot.paths.linear(),
      })),
    ],
    hooks: { setCursor: [({ cursor }) => legend(cursor.idx)] },
  };
}

function label(seconds) {
  return new Intl.DateTimeFormat(language, { ...FORMATS[bucket], timeZone: shown.timeZone, hourCycle: "h23" }).format(seconds * 1000);
}

// The sums of all that is shown, or the numbers at the pointer.
function legend(index) {
  const rows = SERIES.map(([name], at) => {
    const number = index == null ? shown.total[name] : shown.series[index][name];
    return made("li", { className: "flex items-center gap-1.5" }, dot(at), `${say(`js.chart.${name}`)} `, made("strong", { className: "figures", textContent: number.toLocaleString(language) }));
  });
  const when = index == null ? [] : [made("li", { className: "quiet figures", textContent: label(Date.parse(shown.series[index].at) / 1000) })];
  find("[data-legend]").replaceChildren(...rows, ...when);
}

const DOTS = ["bg-primary", "bg-success", "bg-info", "bg-accent", "bg-error"];

function dot(at) {
  return made("span", { className: `size-2.5 rounded-full ${DOTS[at]}`, ariaHidden: "true" });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-span]");
  if (!button) return;
  bucket = button.dataset.span;
  for (const each of all("[data-span]")) {
    each.classList.toggle("btn-primary", each === button);
    each.setAttribute("aria-pressed", String(each === button));
  }
  load();
});

document.body.addEventListener("live-messages", () => {
  waiting ||= setTimeout(() => {
    waiting = 0;
    load();
  }, REFRESHED_AT_MOST_MS);
});
document.addEventListener("theme", () => shown && draw());
new ResizeObserver(() => chart?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);

find("[data-copy-key]")?.addEventListener("click", async () => {
  try {
    copy(await theKey());
  } catch (refused) {
    toast("error", refused.message);
  }
});

load();
