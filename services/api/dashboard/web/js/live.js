// The live stream: `live-frame` on the document for each frame, `live-sessions` and `live-messages` on the body, never
// oftener than the page can follow. A connection that is lost is told, and made again from the last frame that came.
import { call } from "./calls.js";
import { api, find } from "./page.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENT_MS = 45_000; // the server says something every 20 s
const TOLD_AFTER_MS = 1_200;
const AT_MOST_EVERY_MS = 400;

let cursor = document.body.dataset.cursor ?? "";
let socket = null;
let tries = 0;
let retry = 0;
let silence = 0;
let telling = 0;

async function connect() {
  clearTimeout(retry);
  if (socket) return;
  const mine = (socket = {});
  try {
    const { ticket } = await call("POST", `${api}/stream/ticket`);
    if (socket !== mine) return;
    const query = new URLSearchParams({ ticket, ...(cursor && { since: cursor }) });
    socket = listen(new WebSocket(`${location.origin.replace("http", "ws")}${api}/stream?${query}`));
  } catch {
    if (socket === mine) lose();
  }
}

function listen(opened) {
  opened.addEventListener("open", () => found());
  opened.addEventListener("message", ({ data }) => opened === socket && hear(JSON.parse(data)));
  opened.addEventListener("close", () => opened === socket && lose());
  return opened;
}

function hear(frame) {
  cursor = frame.cursor;
  watchSilence();
  if (frame.type === "ping") return;
  document.dispatchEvent(new CustomEvent("live-frame", { detail: frame }));
  if (frame.type === "gap") return tell("sessions"), tell("messages");
  tell(frame.type.startsWith("session.") ? "sessions" : frame.type.startsWith("message.") ? "messages" : "notices");
}

function found() {
  tries = 0;
  clearTimeout(telling);
  telling = 0;
  show(true);
  watchSilence();
}

function lose() {
  clearTimeout(silence);
  socket = null;
  telling ||= setTimeout(() => show(false), TOLD_AFTER_MS);
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries++);
  retry = setTimeout(connect, wait * (0.75 + Math.random() / 2));
}

function drop() {
  const dropped = socket;
  lose();
  dropped?.close?.();
}

function watchSilence() {
  clearTimeout(silence);
  silence = setTimeout(drop, SILENT_MS);
}

function show(isLive) {
  document.body.dataset.live = isLive ? "yes" : "no";
  find("#live-lost").hidden = isLive;
}

// --- Signals for parts of the page, at once and then at most so often ------------------------------------------------

const due = {};

function tell(what) {
  const state = (due[what] ??= { resting: false, again: false });
  if (state.resting) return void (state.again = true);
  state.resting = true;
  document.body.dispatchEvent(new CustomEvent(`live-${what}`));
  setTimeout(() => {
    state.resting = false;
    if (state.again) (state.again = false), tell(what);
  }, AT_MOST_EVERY_MS);
}

// The pages of the platform follow no customer's stream: they have beats of their own.
const isFollowed = Boolean(find("#live-lost:not([data-beats])"));
addEventListener("offline", () => socket && drop());
addEventListener("online", () => isFollowed && ((tries = 0), connect()));
addEventListener("pagehide", () => {
  clearTimeout(retry);
  socket?.close?.();
  socket = null;
});
addEventListener("pageshow", (event) => event.persisted && isFollowed && connect());
if (isFollowed) connect();
