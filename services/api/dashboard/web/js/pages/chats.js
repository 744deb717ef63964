// A chat: words and files leave from its foot, as an answer where one was chosen; the thread follows by the live stream.
import { call } from "../calls.js";
import { answered, onceFor } from "../once.js";
import { api, find } from "../page.js";
import { toast } from "../toasts.js";
import { upload } from "../uploads.js";

const PICTURES = ["image/jpeg", "image/png", "image/webp", "image/gif"];

const form = find("#reply");
let chosen = null; // the file, its kind, and its id once it is uploaded
let answers = "";

const part = (name) => find(`[data-${name}]`, form);
const words = () => form.elements.text.value.trim();

function kindOf({ type }) {
  if (PICTURES.includes(type)) return "image";
  return ["video", "audio"].find((kind) => type.startsWith(`${kind}/`)) ?? "document";
}

function choose(file) {
  if (!file) return;
  chosen = { file, kind: kindOf(file), id: "" };
  part("file-name").textContent = file.name;
  part("chosen").hidden = false;
  form.elements.text.focus();
}

function remove() {
  chosen = null;
  form.elements.file.value = "";
  part("chosen").hidden = true;
}

function answer(id, said) {
  answers = id;
  part("answering").hidden = !id;
  part("answering-words").textContent = said;
  if (id) form.elements.text.focus();
}

async function react(button) {
  const body = { type: "reaction", messageId: button.closest("[data-message]").dataset.message, emoji: button.dataset.react };
  try {
    await call("POST", `${api}/sessions/${form.dataset.session}/messages`, body, onceFor(button, body));
    answered(button);
  } catch (refused) {
    toast("error", refused.message);
  }
}

async function uploaded() {
  const bar = part("progress");
  bar.hidden = false;
  try {
    return await upload(chosen.file, chosen.kind, (percent) => (bar.value = percent));
  } finally {
    bar.hidden = true;
  }
}

// A file of a kind that has no caption goes before the words.
async function bodies() {
  const shared = { to: form.dataset.to, ...(answers && { replyTo: answers }) };
  const text = words() ? [{ type: "text", ...shared, text: form.elements.text.value }] : [];
  if (!chosen) return text;
  chosen.id ||= await uploaded();
  const medium = { type: chosen.kind, ...shared, mediaId: chosen.id, ...(chosen.kind === "document" && { fileName: chosen.file.name }) };
  return chosen.kind === "audio" ? [medium, ...text] : [{ ...medium, ...(words() && { caption: words() }) }];
}

async function send() {
  if (!words() && !chosen) return form.elements.text.focus();
  busy(true);
  try {
    for (const body of await bodies()) {
      await call("POST", `${api}/sessions/${form.dataset.session}/messages`, body, onceFor(form, body));
      answered(form);
      if (body.mediaId) remove();
    }
    form.elements.text.value = "";
    answer("", "");
    markRead();
  } catch (refused) {
    toast("error", refused.message);
  } finally {
    busy(false);
    form.elements.text.focus();
  }
}

// Who answers has read.
async function markRead() {
  if (Number(find("#thread").dataset.unread)) await call("POST", `${api}/chats/${form.dataset.chat}/read`).catch(() => {});
  document.body.dispatchEvent(new CustomEvent("live-messages"));
}

function busy(is) {
  const button = find("button.btn-primary", form);
  button.disabled = is;
  find(".loading", button).hidden = !is;
  find(".icon", button).toggleAttribute("hidden", is);
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!find("button.btn-primary", form).disabled) send();
  });
  form.elements.text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.elements.text.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    choose(event.clipboardData.files[0]);
  });
  form.addEventListener("change", (event) => event.target.name === "file" && choose(event.target.files[0]));
  part("remove").addEventListener("click", remove);
  part("answer-none").addEventListener("click", () => answer("", ""));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-answer],[data-react]");
    if (!button) return;
    button.closest("details").removeAttribute("open");
    if (button.dataset.react) react(button);
    else answer(button.closest("[data-message]").dataset.message, button.dataset.words);
  });
  const zone = find("[data-drop-zone]");
  for (const name of ["dragover", "drop"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      if (name === "drop") choose(event.dataTransfer.files[0]);
    });
  }
}
