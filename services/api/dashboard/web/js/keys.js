// The API key: fetched when it is shown or copied, never a part of the page.
import { call } from "./calls.js";
import { copy } from "./copying.js";
import { api, find, say } from "./page.js";
import { toast } from "./toasts.js";

let key = "";

export async function theKey() {
  key ||= (await call("GET", `${api}/apikey`)).apiKey;
  return key;
}

const card = find("[data-key]");
if (card) {
  const field = find("[data-key-value]", card);
  const toggle = find("[data-key-toggle]", card);
  const hidden = field.value;
  const show = (text) => {
    field.value = text || hidden;
    toggle.setAttribute("aria-pressed", String(Boolean(text)));
    toggle.setAttribute("aria-label", say(text ? "js.key.shown" : "js.key.hidden"));
  };
  toggle.addEventListener("click", () => told(async () => show(toggle.getAttribute("aria-pressed") === "true" ? "" : await theKey())));
  find("[data-key-copy]", card).addEventListener("click", () => told(async () => copy(await theKey())));
  find("#rotate").addEventListener("called", ({ detail }) => {
    key = detail.apiKey;
    show(key);
  });
}

async function told(act) {
  try {
    await act();
  } catch (refused) {
    toast("error", refused.message);
  }
}
