// The link dialog: a code that renews itself, a code by number, a passkey, and how far the link is, by the live stream.
import { call } from "./calls.js";
import { countdown } from "./countdown.js";
import { leavePasskey, showPasskey } from "./passkeys.js";
import { all, api, find, say } from "./page.js";
import { fallAt, standAt, why } from "./stages.js";
import { toast } from "./toasts.js";

const CLOSES_AFTER_MS = 1800;
const LOOKS_AGAIN_MS = 2000; // when a code is over and the stream has brought no other

const RETRY = "js.link.retry";
const ENDS = { "": "js.link.nobody", qr_expired: "js.link.nobody", passkey_expired: "js.passkey.over" };

const dialog = find("#link");
const place = (name) => find(`[data-${name}]`, dialog);
let session = null;
let stop = () => {};
let looking = 0;
let heard = 0; // what was told of the link or asked: the answer to an earlier question may be older than that

dialog.addEventListener("dialog-open", ({ detail }) => {
  session = { id: detail.id, name: detail.name };
  place("simulate").hidden = !detail.scannable;
  way("code");
  ask();
  passkey();
});

dialog.addEventListener("close", () => {
  session = null;
  leavePasskey();
  stop();
  clearTimeout(looking);
});

const ACTS = {
  "session.starting": under,
  "session.connecting": under,
  "session.reconnecting": under,
  "session.qr": ({ qr, expiresAt }) => code(qr, expiresAt),
  "session.pair_code": ({ pairCode, expiresAt }) => pairCode && pair(pairCode, expiresAt),
  "session.passkey": ({ reason }) => passkey(reason === "refused"),
  "session.connected": linked,
  "session.restricted": linked,
  "session.stopped": ended,
  "session.logged_out": ended,
  "session.failed": ended,
  "session.banned": ended,
};

// A gap may hold the end of the link: what is shown stays until the answer.
document.addEventListener("live-frame", ({ detail: frame }) => {
  if (session && frame.type === "gap") return look(), passkey();
  if (!session || frame.sessionId !== session.id) return;
  const act = ACTS[frame.type];
  if (act && frame.type !== "session.pair_code") heard += 1;
  act?.(frame.data);
});

function ask() {
  reaching();
  look();
}

async function look() {
  const asked = session;
  const before = (heard += 1);
  try {
    const { data } = await call("GET", `${api}/sessions/${session.id}/qr?wait=20`);
    if (asked === session && heard === before) await show(data);
  } catch (refused) {
    if (asked === session && heard === before) fail(refused.message, refused.code === "SESSION_BANNED" ? "" : RETRY);
  }
}

// What GET /qr has answered.
async function show(data) {
  if (data.hasQR) code(data.qr, data.expiresAt);
  else if (data.stage === "connected") linked();
  else if (data.stage === "passkey") await passkey();
  else if (data.stage === "code") standAt("code");
  else if (data.stage) under(data);
  else ended(data);
}

// Another code in the place of what WhatsApp waits for now.
async function begin() {
  await call("POST", `${api}/sessions/${session.id}/restart`);
  ask();
}

// On the way to WhatsApp: `message` is the API's own sentence for the reason; a frame has none.
function under({ stage, reason, cause, message }) {
  if (stage === "keys") keys();
  else if (reason === "connect_failed") reaching(say("js.link.goes_on", { reason: message ?? why(reason, cause) }));
  else reaching();
}

// `problem`: why WhatsApp is not reached. The dialog goes on listening: the stream tells an attempt that succeeds later.
function reaching(problem) {
  rest("ways");
  place("pair-code").hidden = true;
  qr(problem ? "ended" : "waiting");
  standAt("reaching", { problem, again: RETRY });
}

function keys() {
  rest("keys");
  standAt("keys");
}

// Nothing is counted down any more, and no passkey is asked for.
function rest(which) {
  stop();
  clearTimeout(looking);
  leavePasskey();
  step(which);
}

function code(picture, expiresAt) {
  if (!picture) return;
  step("ways");
  find("img", dialog).src = picture;
  qr("code");
  standAt("code");
  clearTimeout(looking);
  stop();
  stop = countdown(expiresAt, renews, () => (looking = setTimeout(() => session && ask(), LOOKS_AGAIN_MS)));
}

function ended({ status, reason }) {
  const told = reason ?? "";
  if (status === "banned") fail(say("js.link.banned", { reason: why(told) }), "");
  else if (told in ENDS) fail(say("js.link.ended", { reason: say(ENDS[told]) }), "js.link.again");
  else fail(`${why(told)}.`, RETRY);
}

function fail(problem, again) {
  rest("ways");
  qr("ended");
  fallAt(problem, again);
}

function linked() {
  if (step() === "linked") return;
  rest("linked");
  standAt("connected");
  const done = session;
  setTimeout(() => done === session && dialog.close(), CLOSES_AFTER_MS);
}

async function passkey(isRefused = false) {
  const asked = session;
  const before = heard;
  const { data } = await call("GET", `${api}/sessions/${session.id}/passkey`).catch(() => ({ data: { step: "none" } }));
  if (asked !== session || heard !== before || data.step === "none") return;
  stop();
  step("passkey");
  standAt("scanned");
  showPasskey(session.id, data, isRefused);
}

function qr(which) {
  for (const part of all("[data-qr]", dialog)) part.hidden = part.dataset.qr !== which;
  place("countdown").hidden = which !== "code";
}

function step(which) {
  const steps = all("[data-step]", dialog);
  if (which) for (const part of steps) part.hidden = part.dataset.step !== which;
  return steps.find((part) => !part.hidden)?.dataset.step;
}

function way(which) {
  for (const tab of all("[role=tab]", dialog)) {
    const chosen = tab.dataset.way === which;
    tab.classList.toggle("tab-active", chosen);
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    find(`#way-${tab.dataset.way}`).hidden = !chosen;
  }
}

function renews(seconds, share) {
  find("progress", place("countdown")).value = share;
  find("p", place("countdown")).textContent = say("js.link.renews", { seconds });
}

function pair(text, expiresAt) {
  step("ways");
  standAt("code");
  place("pair-code").hidden = false;
  place("code").textContent = text;
  stop();
  stop = countdown(expiresAt, (seconds) => (place("left").textContent = say(seconds ? "js.link.valid" : "js.link.over", { seconds })), () => {});
}

async function busy(button, act) {
  const spinner = find(".loading", button);
  button.disabled = true;
  if (spinner) spinner.hidden = false;
  try {
    await act();
  } catch (refused) {
    toast("error", refused.message);
  } finally {
    button.disabled = false;
    if (spinner) spinner.hidden = true;
  }
}

dialog.addEventListener("click", (event) => {
  const tab = event.target.closest("[data-way]");
  if (tab) way(tab.dataset.way);
  if (event.target.closest("[data-again]")) ask();
  const anew = event.target.closest("[data-anew]");
  if (anew) busy(anew, begin);
});

dialog.addEventListener("keydown", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (!tab || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const other = all("[role=tab]", dialog).find((each) => each !== tab);
  way(other.dataset.way);
  other.focus();
});

place("simulate").addEventListener("click", ({ currentTarget }) =>
  busy(currentTarget, () => call("POST", dialog.dataset.scan.replace("{id}", session.id))),
);

find("[data-pair]", dialog).addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  busy(find("button", form), async () => {
    const { data } = await call("POST", `${api}/sessions/${session.id}/pair-code`, { phone: form.elements.phone.value });
    pair(data.code, data.expiresAt);
  });
});
