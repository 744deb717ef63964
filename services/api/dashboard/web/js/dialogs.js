// `data-dialog="<id>"` opens a dialog and hands it the button's data; `data-fill="<name>"` in it shows what was handed: a
// box whether its value is one of the words. The dialog then hears `dialog-open`.
import { all, find } from "./page.js";

export function open(dialog, values = {}) {
  for (const place of all("[data-fill]", dialog)) fill(place, values[place.dataset.fill] ?? "");
  for (const form of all("form[data-call]", dialog)) Object.assign(form.dataset, values);
  dialog.dispatchEvent(new CustomEvent("dialog-open", { bubbles: true, detail: values }));
  if (!dialog.open) dialog.showModal();
}

function fill(place, value) {
  if (place.type === "checkbox") place.checked = value.split(" ").includes(place.value);
  else if ("value" in place && place.tagName !== "BUTTON" && place.tagName !== "LI") place.value = value;
  else place.textContent = value;
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    event.preventDefault();
    const { dialog, ...values } = opener.dataset;
    opener.closest("details[open]")?.removeAttribute("open");
    open(find(`#${dialog}`), values);
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
  for (const menu of all("details.dropdown[open]")) if (!menu.contains(event.target)) menu.removeAttribute("open");
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && event.target.closest?.("details.dropdown[open]");
  if (menu) {
    menu.removeAttribute("open");
    find("summary", menu).focus();
  }
});
