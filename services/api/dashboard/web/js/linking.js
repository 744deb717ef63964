// The link dialog: a code that renews itself, a code by number, a passkey, and the end of it all by the live stream.
import { call } from "./calls.js";
import { countdown } from "./countdown.js";
import { leavePasskey, showPasskey } from "./passkeys.js";
import { all, api, find, say } from "./page.js";
import { toast } from "./toasts.js";

const CLOSES_AFTER_MS = 1800;
const LOOKS_AGAIN_MS = 2000; // when a code is over and the stream has brought no other

const ENDS = { "": "js.link.nobody", qr_expired: "js.link.nobody", passkey_expired: "js.passkey.over" };

const dialog = find("#link");
const place = (name) => find(`[data-${name}]`, dialog);
let session = null;
let stop = () => {};
let looking = 0;
let heard = 0; // how much the stream has told of the link: an answer that was asked for before may be older

dialog.addEventListener("dialog-open", ({ detail }) => {
  session = { id: detail.id, name: detail.name };
  place("simulate").hidden = !detail.scannable;
  place("pair-code").hidden = true;
  step("ways");
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

document.addEventListener("live-frame", ({ detail: frame }) => {
  if (!session || frame.sessionId !== session.id) return;
  const { qr, expiresAt, reason, pairCode } = frame.data;
  const act = {
    "session.qr": () => code(qr, expiresAt),
    "session.pair_code": () => pairCode && pair(pairCode, expiresAt),
    "session.connected": linked,
    "session.passkey": () => passkey(reason === "refused"),
    "session.stopped": () => ended(reason),
    "session.failed": () => ended(reason),
    "session.banned": () => ended(reason),
  }[frame.type];
  if (act && frame.type !== "session.pair_code") heard += 1;
  act?.();
});

async function ask() {
  const asked = session;
  const before = heard;
  qr("waiting");
  try {
    const { data } = await call("GET", `${api}/sessions/${session.id}/qr?wait=20`);
    if (asked !== session || heard !== before) return;
    if (data.hasQR) code(data.qr, data.expiresAt);
    else if (data.status === "connected") linked();
    else if (data.status !== "connecting") ended();
    else await passkey();
  } catch (refused) {
    if (asked === session) toast("error", refused.message), ended(refused.message);
  }
}

// Another code in the place of what WhatsApp waits for now.
async function begin() {
  await call("POST", `${api}/sessions/${session.id}/restart`);
  leavePasskey();
  step("ways");
  ask();
}

function code(picture, expiresAt) {
  if (!picture) return;
  step("ways");
  find("img", dialog).src = picture;
  qr("code");
  clearTimeout(looking);
  stop();
  stop = countdown(expiresAt, renews, () => (looking = setTimeout(() => session && ask(), LOOKS_AGAIN_MS)));
}

function ended(reason) {
  const why = reason ?? "";
  stop();
  clearTimeout(looking);
  step("ways");
  place("ended").textContent = say("js.link.ended", { reason: why in ENDS ? say(ENDS[why]) : why.replace(/\.$/, "") });
  qr("ended");
}

function linked() {
  stop();
  clearTimeout(looking);
  if (step() === "linked") return;
  step("linked");
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
