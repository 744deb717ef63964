// The devices page: a new device goes straight to its link, and the API key is read when somebody asks for it.
import { open } from "../dialogs.js";
import { find } from "../page.js";
import "../keys.js";
import "../linking.js";
import "../named-keys.js";

find("#create").addEventListener("called", ({ detail }) => {
  const { id, name, engine } = detail.session;
  document.body.dispatchEvent(new CustomEvent("live-sessions"));
  const scannable = find("#link").dataset.scannable?.split(" ").includes(engine) ? "yes" : "";
  open(find("#link"), { id, name, scannable });
});

document.addEventListener("called", () => document.body.dispatchEvent(new CustomEvent("live-sessions")));

// What waits for a decision after another number was linked is counted a moment later.
document.addEventListener("live-frame", ({ detail: { type } }) => {
  if (type === "session.connected") setTimeout(() => document.body.dispatchEvent(new CustomEvent("live-sessions")), 2_500);
});

// The overview sends here for what mends something: a new device, or the link of one.
if (location.hash === "#new") open(find("#create"));
if (location.hash.startsWith("#link-")) find(`[data-dialog=link][data-id="${CSS.escape(location.hash.slice(6))}"]`)?.click();
