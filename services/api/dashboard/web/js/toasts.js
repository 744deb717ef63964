// Short messages at the edge of the screen; inside of an open dialog where there is one, for the rest is inert then.
import { find, icon, made, say } from "./page.js";

const STAYS_MS = { success: 5000, info: 6000, error: 12000 };
const ICONS = { success: "circle-check", info: "circle-alert", error: "triangle-alert" };
const MOST = 4;
const KEPT = "merpati-toast";

export function toast(kind, text) {
  const place = find("#toasts");
  (find("dialog[open]") ?? document.body).append(place);
  const close = made("button", { type: "button", className: "btn btn-ghost btn-xs btn-square text-current", ariaLabel: say("js.close") }, icon("x", "icon size-4"));
  const shown = made(
    "div",
    { className: `alert ${alertClass(kind)} pointer-events-auto w-80 max-w-[calc(100vw-2rem)] py-3 text-sm shadow-lg`, role: kind === "error" ? "alert" : "status" },
    icon(ICONS[kind]),
    made("span", { className: "min-w-0 break-words text-left", textContent: text }),
    close,
  );
  close.addEventListener("click", () => shown.remove());
  place.append(shown);
  while (place.children.length > MOST) place.firstElementChild.remove();
  setTimeout(() => shown.remove(), STAYS_MS[kind]);
}

// Told on the page that comes next.
export function toastThere(kind, text) {
  sessionStorage.setItem(KEPT, JSON.stringify([kind, text]));
}

function alertClass(kind) {
  return { success: "alert-success", info: "alert-info", error: "alert-error" }[kind];
}

document.addEventListener("close", () => document.body.append(find("#toasts")), true);

const kept = sessionStorage.getItem(KEPT);
if (kept) {
  sessionStorage.removeItem(KEPT);
  toast(...JSON.parse(kept));
}
