// Webhooks: the secret that is shown once, what came of a test, and how far back a replay begins.
import { open } from "../dialogs.js";
import "../everything.js";
import { find, language, say } from "../page.js";

const HOUR_MS = 3_600_000;
let onward = ""; // where to go once the secret is kept

document.addEventListener("called", ({ target, detail }) => {
  onward = target.dataset.onward?.replace("{id}", detail.data.id) ?? "";
  if (detail.secret) open(find("#secret"), { secret: detail.secret });
  else if ("test" in target.dataset) tell(detail.data);
  else if (onward) location.assign(onward);
});

find("#secret")?.addEventListener("close", () => {
  find("#secret-value").value = "";
  if (onward) location.assign(onward);
});

function tell({ delivered, status, error, response, durationMs }) {
  const dialog = find("#tried");
  const answer = status ? say("js.webhook.answered", { status, ms: durationMs.toLocaleString(language) }) : "";
  find("[data-taken]", dialog).hidden = !delivered;
  find("[data-refused]", dialog).hidden = delivered;
  find("[data-responded]", dialog).hidden = !response;
  open(dialog, { taken: say("js.webhook.taken"), refused: say("js.webhook.refused", { error: error ?? status }), measured: answer, response });
}

const span = find("#replay [data-span]");
span?.form.addEventListener("submit", () => {
  span.form.dataset.since = new Date(Date.now() - span.value * HOUR_MS).toISOString();
});
