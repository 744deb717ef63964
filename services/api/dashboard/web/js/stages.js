// The stages of the link dialog: which is done, which is now, a sentence about it, and the button that asks again.
import { all, find, say } from "./page.js";

const CODED = /^(server_error|unlinked|banned)[:_](\w+)$/;
const WRONG = ["bg-error/10", "text-error"];
const QUIET = ["bg-base-200"];

const dialog = find("#link");
const stages = all("[data-stages] > li", dialog);
const said = find("[data-said]", dialog);
let now = "";

// `problem`: why it does not go on from there, as a sentence; `again`: the key of the word on the button that asks again.
export function standAt(stage, { problem, again } = {}) {
  now = stage;
  const at = stages.findIndex((each) => each.dataset.stage === stage);
  const here = problem ? "failed" : stage === "connected" ? "done" : "now";
  stages.forEach((each, index) => mark(each, index < at ? "done" : index > at ? "next" : here, index === at));
  tell(problem ?? say(`js.link.at_${stage}`), Boolean(problem));
  offer(problem && again);
}

// It does not go on from where it is.
export function fallAt(problem, again) {
  standAt(now, { problem, again });
}

// In words, without a full stop, why a session is as it is; what is not known here is told as it is.
export function why(reason, cause) {
  if (reason === "connect_failed") return unreached(cause);
  const [, word, code] = CODED.exec(reason) ?? [];
  return worded(`why.${reason}`) ?? (word ? say(`js.link.why.${word}`, { code }) : reason);
}

function unreached(cause) {
  const plain = say("js.link.unreached");
  const known = worded(`cause.${cause}`);
  return known ? `${plain}: ${known}` : plain;
}

function worded(name) {
  const key = `js.link.${name}`;
  return say(key) === key ? undefined : say(key);
}

function mark(item, state, isHere) {
  item.dataset.is = state;
  if (isHere) item.setAttribute("aria-current", "step");
  else item.removeAttribute("aria-current");
}

function tell(sentence, isWrong) {
  const line = find("p", said);
  if (line.textContent !== sentence) line.textContent = sentence; // the same again would be read out again
  for (const each of WRONG) said.classList.toggle(each, isWrong);
  for (const each of QUIET) said.classList.toggle(each, !isWrong);
}

function offer(again) {
  const button = find("[data-again]", said);
  button.hidden = !again;
  if (again) find("span", button).textContent = say(again);
}
