// The team: what somebody signs in with is shown once, to be handed over.
import { open } from "../dialogs.js";
import { find, language } from "../page.js";

const handed = find("#handed");

for (const id of ["add-person", "reset-person"]) {
  const form = find(`#${id} form`);
  form.addEventListener("called", ({ detail }) => {
    const email = detail.user?.email ?? form.dataset.email;
    open(handed, { text: [`${location.origin}/${language}/dashboard`, email, form.elements.password.value].join("\n") });
  });
}

handed.addEventListener("close", () => (find("#handed-text").value = ""));
