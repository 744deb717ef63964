// The playground: the body of the request from the form, its way by the live stream, and the same as code.
import { call, Refused } from "../calls.js";
import { composing, MEDIA } from "../composing.js";
import { copy } from "../copying.js";
import { theKey } from "../keys.js";
import { answered, onceFor } from "../once.js";
import { all, api, find, icon, language, made, say } from "../page.js";
import { KEY, sample } from "../samples.js";
import { toast } from "../toasts.js";
import { upload } from "../uploads.js";

const RANKS = ["queued", "sent", "delivered", "read"];
const ENDED_BADLY = ["failed", "cancelled", "expired"];
const MOST_HEARD = 200;
const SHOWN_OF_DATA = 48;
const TO_COME = "…"; // in the place of an id that a file has once it is uploaded

const form = find("#play");
const heard = new Map(); // the last frame's data by message: the stream may be faster than the answer
let medium = null; // the chosen file, and its id once it is uploaded
let watched = "";
let code = "curl";

const { value, kind, body, fault } = composing(form ?? document.createElement("form"));
const url = () => `${location.origin}${api}/sessions/${value("session")}/messages`;

// --- The medium ------------------------------------------------------------------------------------------------------

// Where the medium comes from, as the form says it now.
function source() {
  if (!MEDIA.includes(kind())) return {};
  const from = value("source");
  return from === "file" ? { mediaId: TO_COME } : { [from]: value(from) };
}

async function idOf(chosen, as) {
  chosen.ids[as] ??= await uploaded(chosen.file, as);
  return chosen.ids[as];
}

async function uploaded(file, as) {
  const bar = find("[data-progress]");
  bar.hidden = false;
  try {
    return await upload(file, as, (percent) => {
      bar.value = percent;
      find("[data-file-size]").textContent = say("js.play.uploading", { name: size(file.size), percent });
    });
  } finally {
    bar.hidden = true;
    find("[data-file-size]").textContent = size(file.size);
  }
}

// --- Sending, and its way --------------------------------------------------------------------------------------------

async function send() {
  const button = find("button.btn-primary", form);
  busy(button, true);
  try {
    const problem = fault(medium);
    if (problem) throw new Refused(400, "", problem);
    const [said, session, chosen] = [body(source()), value("session"), medium]; // the form may change during the upload
    if (said.mediaId === TO_COME) said.mediaId = await idOf(chosen, said.type);
    const answer = await call("POST", `${api}/sessions/${session}/messages`, said, onceFor(form, session, said));
    answered(form);
    watch(answer.messageId, answer.data);
    document.body.dispatchEvent(new CustomEvent("live-messages"));
  } catch (refused) {
    toast("error", refused.message);
  } finally {
    busy(button, false);
  }
}

function busy(button, is) {
  button.disabled = is;
  find(".loading", button).hidden = !is;
}

function watch(id, message) {
  watched = id;
  if (message.type !== "reaction") form.elements.messageId.value = id;
  find("[data-now-empty]").hidden = true;
  find("[data-now]").hidden = false;
  find("[data-now-id]").textContent = id;
  for (const step of all("[data-step-of]")) find("[data-at]", step).textContent = "";
  show(message);
  if (heard.has(id)) show(heard.get(id));
}

function show(message) {
  const failed = ENDED_BADLY.includes(message.status);
  const rank = message.status === "played" ? RANKS.length - 1 : Math.max(0, RANKS.indexOf(message.status));
  const times = { queued: message.createdAt, sent: message.sentAt, delivered: message.deliveredAt, read: message.readAt };
  for (const step of all("[data-step-of]")) {
    const name = step.dataset.stepOf;
    const reached = failed ? Boolean(times[name]) : RANKS.indexOf(name) <= rank;
    step.dataset.reached = reached ? (failed ? "passed" : "yes") : "no";
    step.hidden = failed && !reached;
    if (reached && times[name]) find("[data-at]", step).textContent = clock(times[name]);
  }
  const end = find("[data-bad-end]");
  end.hidden = !failed;
  for (const word of all("[data-end]", end)) word.hidden = word.dataset.end !== message.status;
  const place = find("[data-failure]");
  place.hidden = !(failed && message.error);
  find("span", place).textContent = message.error?.message ?? "";
}

function clock(at) {
  return new Date(at).toLocaleTimeString(language, { hour12: false });
}

document.addEventListener("live-frame", ({ detail: { type, data } }) => {
  if (!type.startsWith("message.") || !data.messageId) return;
  heard.set(data.messageId, data);
  if (heard.size > MOST_HEARD) heard.delete(heard.keys().next().value);
  if (data.messageId === watched) show(data);
});

// --- The form --------------------------------------------------------------------------------------------------------

function choose(file) {
  if (!file) return;
  if (medium) forget();
  medium = { file, ids: {} };
  if (!holds(kind(), file)) form.elements.type.value = natural(file);
  find("[data-chosen]").hidden = false;
  find("[data-file-name]").textContent = file.name;
  find("[data-file-size]").textContent = size(file.size);
  if (!value("fileName")) form.elements.fileName.value = file.name;
  find("[data-preview]").replaceChildren(preview(file));
  render();
}

function preview(file) {
  const tag = { image: "img", video: "video" }[family(file)];
  if (!tag) return icon(family(file) === "audio" ? "music" : "file-text");
  const address = URL.createObjectURL(file);
  const picture = made(tag, { src: address, className: "size-full object-cover", ...(tag === "img" ? { alt: "" } : { muted: true, ariaHidden: "true" }) });
  for (const name of ["load", "loadeddata", "error"]) picture.addEventListener(name, () => URL.revokeObjectURL(address));
  return picture;
}

// What was said of the file that is replaced or removed is not said of the next one.
function forget() {
  medium = null;
  for (const name of ["fileName", "caption", "mimetype"]) form.elements[name].value = "";
}

function remove() {
  forget();
  form.elements.file.value = "";
  find("[data-chosen]").hidden = true;
  render();
}

const KINDS_OF = { image: ["image", "sticker"], video: ["video"], audio: ["audio", "voice"] };
const ANYTHING = ["", "application/octet-stream"]; // what browsers say of a file whose type they do not know

// Whether a message of this type can be made of the file, as far as the browser knows; the gateway looks into it.
function holds(type, file) {
  return type === "document" || ANYTHING.includes(file.type) || Boolean(KINDS_OF[family(file)]?.includes(type));
}

function natural(file) {
  return KINDS_OF[family(file)]?.[0] ?? "document";
}

function family(file) {
  return file.type.split("/")[0];
}

function size(bytes) {
  const [scale, unit] = bytes >= 1e6 ? [1e6, "megabyte"] : [1e3, "kilobyte"];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 1 }).format(bytes / scale);
}

function render() {
  for (const part of all("[data-for]", form)) part.hidden = !part.dataset.for.split(" ").includes(kind());
  for (const part of all("[data-source]", form)) part.hidden = part.dataset.source !== value("source");
  form.elements.to.closest("label").hidden = kind() === "reaction";
  find("[data-shown-code]").textContent = shown();
}

function shown() {
  const examples = {
    file: { mediaId: medium?.ids[kind()] ?? TO_COME },
    url: { url: value("url") || "https://…" },
    data: { data: short(value("data")) },
    mediaId: { mediaId: value("mediaId") || TO_COME },
  };
  return sample(code, url(), { ...body(examples[value("source")]), ...(kind() !== "reaction" && { to: value("to") || say("js.play.phone_here") }) });
}

function short(data) {
  return data.length > SHOWN_OF_DATA ? `${data.slice(0, SHOWN_OF_DATA)}…` : data || "…";
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send().then(render);
  });
  form.addEventListener("input", render);
  form.addEventListener("change", (event) => {
    if (event.target.name === "file") choose(event.target.files[0]);
    render();
  });
  const drop = find("[data-drop]");
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("border-primary", name === "dragenter" || name === "dragover");
      if (name === "drop") choose(event.dataTransfer.files[0]);
    });
  }
  find("[data-remove]").addEventListener("click", remove);
  for (const button of all("[data-code]")) {
    button.addEventListener("click", () => {
      code = button.dataset.code;
      for (const each of all("[data-code]")) {
        each.classList.toggle("btn-primary", each === button);
        each.setAttribute("aria-pressed", String(each === button));
      }
      render();
    });
  }
  find("[data-copy-code]")?.addEventListener("click", async () => {
    try {
      copy(shown().replaceAll(KEY, await theKey()));
    } catch (refused) {
      toast("error", refused.message);
    }
  });
  render();
}
