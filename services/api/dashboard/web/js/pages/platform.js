// The pages of the platform: a password that was made up is shown once, and forms show what goes with what is chosen.
import { open } from "../dialogs.js";
import { all, find } from "../page.js";

document.addEventListener("called", ({ detail: { data } }) => {
  if (!data?.password) return;
  const onward = find("[data-open]", find("#made"));
  onward.hidden = !data.customer;
  onward.href = find("#made").dataset.place + (data.customer?.id ?? "");
  const { email } = data.owner ?? data.user;
  setTimeout(() => open(find("#made"), { email, password: data.password })); // the dialog that asked closes first
});

// `data-when="<field>:<value>"`: this part of a form is there while the field has that value.
function settle(form) {
  for (const part of all("[data-when]", form)) {
    const [name, value] = part.dataset.when.split(":");
    part.disabled = part.hidden = !new FormData(form).getAll(name).includes(value);
  }
}

for (const form of document.forms) settle(form);
document.addEventListener("change", ({ target }) => target.form && settle(target.form));
document.addEventListener("reset", ({ target }) => setTimeout(() => settle(target)));
