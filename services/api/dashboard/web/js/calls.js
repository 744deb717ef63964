// Calls of the API with the page's own sign-in; what it refuses is thrown with the sentence that it gave.
import { changing } from "./changes.js";
import { language, say, written } from "./page.js";

const READING = ["GET", "HEAD"];

export class Refused extends Error {
  constructor(status, code, message, details) {
    super(message);
    Object.assign(this, { status, code, details });
  }
}

export function call(...asked) {
  return READING.includes(asked[0]) ? answer(...asked) : changing(answer(...asked));
}

async function answer(method, path, body, more = {}) {
  const headers = { ...headersOf(method), ...more };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let said;
  try {
    said = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, "UNREACHABLE", say("js.unreachable"));
  }
  return judged(said.status, await said.json().catch(() => ({})));
}

export function headersOf(method) {
  const headers = { Accept: "application/json", "Accept-Language": language };
  return READING.includes(method) ? headers : { ...headers, "X-CSRF-Token": written("csrf") };
}

export function judged(status, said) {
  if (status === 401) location.assign(`/${language}/dashboard/signin?next=${encodeURIComponent(location.pathname)}`);
  if (status < 200 || status > 299) throw new Refused(status, said.error ?? "", said.message ?? say("js.unreachable"), said.details);
  return said;
}
