// The parts of pages that htmx asks for anew: none shows again what was there before a click.
import "htmx.org/dist/htmx.esm.js";

import { current } from "./changes.js";
import { all } from "./page.js";

document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
  const { fetch } = ctx;
  ctx.fetch = (...asked) =>
    current(async () => {
      const answer = await fetch(...asked);
      return new Response(await answer.text(), answer);
    });
});

// A morph leaves what a person has switched as it was: the box shows what the server says again, in this part alone.
document.addEventListener("htmx:after:swap", ({ target }) => {
  for (const box of all("input[type=checkbox][data-call]", target)) box.checked = box.hasAttribute("checked");
});
