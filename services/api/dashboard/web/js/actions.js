// `data-call="<METHOD> <path>"` on a form or a button asks the API: fields are the body, `{name}` in the path is data.
// A field is text, or by `data-as` a `number`, a `boolean` (a checkbox), a `null` (a checkbox, while it is checked), a `list`
// (of all fields with its name), `lines`, or the `end-of-day` of a date in `data-zone`. The first field that says something
// under a name counts.
// What is empty is left out, or told as `data-empty` says: as `null` or as empty `text`. A dot in a name is an object's.
// The body of a button is its `data-body`, JSON.
// A form is empty again once it is done, or with `data-keep` stays as it is. With `data-changes` it asks for what is not as
// it was when its dialog was opened.
// `data-once` asks with an Idempotency-Key; `data-then` is the page to go to once it is done. What is said then is
// `data-done`, or with `data-told` the answer's own message.
import { call } from "./calls.js";
import { answered, onceFor } from "./once.js";
import { all, find, say } from "./page.js";
import { endOfDay } from "./times.js";
import { toast, toastThere } from "./toasts.js";

const opened = new WeakMap();

document.addEventListener("dialog-open", ({ target }) => {
  for (const form of all("form[data-changes]", target)) opened.set(form, bodyOf(form));
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-call]");
  if (!form) return;
  event.preventDefault();
  act(form, opened.has(form) ? changes(bodyOf(form), opened.get(form)) : bodyOf(form), event.submitter);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-call]");
  if (!button) return;
  button.closest("details[open]")?.removeAttribute("open");
  act(button, button.dataset.body && JSON.parse(button.dataset.body), button);
});

document.addEventListener("change", (event) => {
  const box = event.target.closest("input[type=checkbox][data-call]");
  if (box) act(box, { [box.name]: switched(box) }, box).then((done) => done || undo(box));
});

// Whether it was done; the element hears `called` with the answer.
async function act(element, body, button) {
  const [method, path] = element.dataset.call.split(" ");
  const place = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(element.dataset[name] ?? ""));
  busy(button, true);
  try {
    const answer = await call(method, place, body, "once" in element.dataset ? onceFor(element, place, body) : {});
    answered(element);
    const { then } = element.dataset;
    const done = "told" in element.dataset ? answer.message : element.dataset.done;
    if (done) (then ? toastThere : toast)("success", done);
    element.dispatchEvent(new CustomEvent("called", { bubbles: true, detail: answer }));
    document.body.dispatchEvent(new CustomEvent("live-messages"));
    if (element.tagName === "FORM") {
      element.closest("dialog")?.close();
      "keep" in element.dataset ? keep(element) : element.reset();
    }
    if (then) location.assign(then);
    return true;
  } catch (refused) {
    toast("error", refused.message || say("js.unreachable"));
    return false;
  } finally {
    busy(button, false);
  }
}

function switched({ checked, dataset: { on, off } }) {
  return on === undefined ? checked : checked ? on : off;
}

function bodyOf(form) {
  const given = new FormData(form);
  const body = {};
  const seen = new Set();
  for (const field of form.elements) {
    if (!field.name || seen.has(field.name) || field.matches(":disabled")) continue;
    const value = valueOf(field, given.getAll(field.name));
    if (value === undefined) continue;
    seen.add(field.name);
    put(body, field.name.split("."), value);
  }
  return Object.keys(body).length || form.dataset.body ? body : undefined;
}

function changes(body, before) {
  return Object.fromEntries(Object.entries(body).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])));
}

function put(within, [name, ...rest], value) {
  if (rest.length) put((within[name] ??= {}), rest, value);
  else within[name] = value;
}

function valueOf(field, given) {
  const { as, empty } = field.dataset;
  if (as === "boolean") return field.checked;
  if (as === "null") return field.checked ? null : undefined;
  const chosen = given.filter((each) => each !== "");
  if (!chosen.length) return { null: null, text: "", list: [], lines: [] }[empty ?? as];
  if (as === "lines") return chosen[0].split("\n").map((line) => line.trim()).filter(Boolean);
  if (as === "end-of-day") return endOfDay(chosen[0], field.dataset.zone);
  return as === "list" ? chosen : as === "number" ? Number(chosen[0]) : chosen[0];
}

// What stands in the form is what the server has now.
function keep(form) {
  for (const field of form.elements) if ("defaultValue" in field) field.defaultValue = field.value;
}

function busy(button, is) {
  if (!button) return;
  button.disabled = is;
  button.toggleAttribute("aria-busy", is);
  find(".loading", button)?.toggleAttribute("hidden", !is);
}

function undo(box) {
  box.checked = !box.checked;
}
