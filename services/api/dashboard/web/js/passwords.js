// In a `data-password`: what is typed is shown when asked for, and one is made up for somebody else.
import { find } from "./page.js";

const LENGTH = 16;
const CHARACTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"; // none that looks like another

document.addEventListener("click", (event) => {
  const place = event.target.closest("[data-password]");
  if (event.target.closest("[data-reveal]")) reveal(place, find("input", place).type === "password");
  if (event.target.closest("[data-make-up]")) {
    find("input", place).value = madeUp();
    reveal(place, true);
  }
});

// A form that was sent or left hides what was typed.
document.addEventListener("reset", ({ target }) => {
  for (const place of target.querySelectorAll("[data-password]")) reveal(place, false);
});

function reveal(place, isShown) {
  find("input", place).type = isShown ? "text" : "password";
  find("[data-reveal]", place).setAttribute("aria-pressed", String(isShown));
}

// Bytes beyond the last whole round of the alphabet are thrown away: every character is as likely as any other.
function madeUp() {
  const fair = 256 - (256 % CHARACTERS.length);
  let text = "";
  while (text.length < LENGTH) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    if (byte < fair) text += CHARACTERS[byte % CHARACTERS.length];
  }
  return text;
}
