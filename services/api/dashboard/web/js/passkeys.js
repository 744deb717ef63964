// The passkey's step of the link dialog: the line to paste on WhatsApp's own page, the answer, and the code to compare.
import { call } from "./calls.js";
import { copy } from "./copying.js";
import { countdown } from "./countdown.js";
import { all, api, find, say } from "./page.js";
import { toast } from "./toasts.js";

const place = find("#link [data-step=passkey]");
const form = find("[data-answer]", place);
let session = null;
let challenge = null;
let stop = () => {};

// Shows what WhatsApp waits for; `isRefused`: it did not take the last answer.
export function showPasskey(id, data, isRefused) {
  if (session !== id) form.reset();
  session = id;
  challenge = data.challenge;
  find("[data-refused]", place).hidden = !isRefused;
  find("[data-compared]", place).textContent = data.code ?? "";
  part(data.step);
  stop();
  const left = find("[data-passkey-left]", place);
  if (data.expiresAt) stop = countdown(data.expiresAt, (seconds) => (left.textContent = say("js.passkey.left", { minutes: clock(seconds) })), () => {});
}

export function leavePasskey() {
  stop();
  form.reset();
  session = challenge = null;
}

function part(which) {
  for (const each of all("[data-passkey]", place)) each.hidden = each.dataset.passkey !== which;
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

// Runs on WhatsApp's page: a passkey answers to the site alone that it was made for.
function line() {
  const shown = JSON.stringify(say("js.passkey.prompt"));
  const options = `PublicKeyCredential.parseRequestOptionsFromJSON(${JSON.stringify(challenge)})`;
  const told = `c=>{c=JSON.stringify(c);console.log(c);prompt(${shown},c)}`;
  return `navigator.credentials.get({publicKey:${options}}).then(${told},e=>alert(e))`;
}

function answerIn(text) {
  try {
    const answer = JSON.parse(text);
    return answer?.rawId && answer.response ? answer : null;
  } catch {
    return null;
  }
}

find("[data-copy-line]", place).addEventListener("click", () => copy(line()));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const response = answerIn(form.elements.answer.value);
  if (!response) return toast("error", say("js.passkey.no_answer"));
  part("checking");
  const given = form.elements.answer.value;
  const taken = await told("", { response });
  if (taken && form.elements.answer.value === given) form.reset(); // else the next answer stands there already
  if (!taken && !find("[data-passkey=checking]", place).hidden) part("challenge");
});

find("[data-same]", place).addEventListener("click", async () => {
  part("checking");
  if (!(await told("/confirm"))) part("compare");
});

async function told(path, body) {
  try {
    await call("POST", `${api}/sessions/${session}/passkey${path}`, body);
    return true;
  } catch (refused) {
    toast("error", refused.message);
    return false;
  }
}
