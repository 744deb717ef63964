// The language that was chosen, kept in a cookie: the dashboard opens in it from now on.
const YEAR_S = 31_536_000;

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[hreflang]");
  if (!link) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `merpati_language=${link.hreflang}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax${secure}`;
});
