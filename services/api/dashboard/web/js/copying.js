// `data-copy="<text>"`, or `data-copy-from="<selector>"`, puts the text on the clipboard.
import { find, say } from "./page.js";
import { toast } from "./toasts.js";

export async function copy(text, done = say("js.copied")) {
  try {
    await navigator.clipboard.writeText(text);
    toast("success", done);
  } catch {
    toast("error", say("js.not_copied"));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy],[data-copy-from]");
  if (!button) return;
  const source = button.dataset.copyFrom && find(button.dataset.copyFrom);
  copy(source ? (source.value ?? source.textContent) : button.dataset.copy);
});
