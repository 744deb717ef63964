// `data-everything="<id>"` on a box: while it is not checked, that part of its form is there to choose from, and says its
// `data-none` when nothing was chosen.
import { all, find } from "./page.js";
import { toast } from "./toasts.js";

const FIRST = { capture: true }; // before a form is read

function settle(form) {
  for (const box of all("[data-everything]", form)) {
    const part = find(`#${box.dataset.everything}`);
    part.disabled = part.hidden = box.checked;
  }
}

document.addEventListener("change", ({ target }) => "everything" in target.dataset && settle(target.form));
document.addEventListener("reset", ({ target }) => setTimeout(() => settle(target)));
document.addEventListener("dialog-open", ({ target }) => settle(target), FIRST);

document.addEventListener("submit", refuseNothing, FIRST);

function refuseNothing(event) {
  const empty = all("fieldset[data-none]:enabled", event.target).find((part) => !find("input:checked", part));
  if (!empty) return;
  event.preventDefault();
  event.stopPropagation();
  toast("error", empty.dataset.none);
}
