// The theme that was chosen, kept in a cookie that the server reads, so that no page flashes.
import { all } from "./page.js";

const YEAR_S = 31_536_000;

function choose(theme) {
  const root = document.documentElement;
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `merpati_theme=${theme}; Path=/; Max-Age=${theme ? YEAR_S : 0}; SameSite=Lax${secure}`;
  show();
}

function show() {
  const now = document.documentElement.dataset.theme ?? "";
  for (const button of all("[data-theme-choice]")) button.setAttribute("aria-pressed", String(button.dataset.themeChoice === now));
  document.dispatchEvent(new CustomEvent("theme"));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-choice]");
  if (button) choose(button.dataset.themeChoice);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
show();
