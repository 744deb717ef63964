// Named keys: a new secret is shown this once, and gone from the page with its dialog.
import { open } from "./dialogs.js";
import "./everything.js";
import { find } from "./page.js";

const once = find("#once");

if (once) {
  for (const id of ["new-key", "rotate-key"])
    find(`#${id}`).addEventListener("called", ({ detail }) => open(once, { name: detail.data.name, key: detail.apiKey }));
  once.addEventListener("close", () => (find("#once-value").value = ""));
}
