// The pages of the platform are asked for anew: `live-platform` on the body every few seconds while somebody looks, and
// after each call. What cannot be read anew is told, like a live connection that is lost.
import { find } from "./page.js";

const EVERY_MS = 4000;

const lost = find("#live-lost[data-beats]");

function beat() {
  if (!navigator.onLine) lost.hidden = false;
  else if (!document.hidden) document.body.dispatchEvent(new CustomEvent("live-platform"));
}

if (lost) {
  document.body.dataset.live = "yes";
  setInterval(beat, EVERY_MS);
  for (const event of ["visibilitychange", "called"]) document.addEventListener(event, beat);
  for (const event of ["offline", "online"]) addEventListener(event, beat);
  document.addEventListener("htmx:finally:request", ({ detail }) => {
    lost.hidden = (detail.ctx.response?.status ?? 599) < 400;
  });
}
