// Uploads a file with its progress; fetch cannot tell how far it is.
import { headersOf, judged, Refused } from "./calls.js";
import { api, say } from "./page.js";

export function upload(file, kind, progressed) {
  const form = new FormData();
  form.append("contentType", kind);
  form.append("fileName", file.name);
  form.append("file", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${api}/media`);
    request.responseType = "json";
    for (const [name, value] of Object.entries(headersOf("POST"))) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => progressed(Math.floor((100 * loaded) / total)));
    request.addEventListener("error", () => reject(new Refused(0, "UNREACHABLE", say("js.unreachable"))));
    request.addEventListener("load", () => {
      try {
        resolve(judged(request.status, request.response ?? {}).mediaId);
      } catch (refused) {
        reject(refused);
      }
    });
    request.send(form);
  });
}
