// What the playground's form says, as the body of a request.
import { say } from "./page.js";

export const MEDIA = ["image", "video", "audio", "voice", "document", "sticker"];
const CAPTIONED = ["image", "video", "document"];
const FEWEST_OPTIONS = 2;

export function composing(form) {
  const value = (name) => form.elements[name].value.trim();
  const kind = () => form.elements.type.value;
  const lines = (name) => value(name).split("\n").map((line) => line.trim()).filter(Boolean);

  function number(name) {
    const read = Number(value(name).replace(",", "."));
    return value(name) && Number.isFinite(read) ? read : null;
  }

  const own = {
    text: () => ({ text: form.elements.text.value, linkPreview: form.elements.linkPreview.checked || "" }),
    location: () => ({ latitude: number("latitude"), longitude: number("longitude"), name: value("name"), address: value("address") }),
    contact: () => (value("vcard") ? { vcard: value("vcard") } : { name: value("contactName"), phones: lines("phones") }),
    poll: () => ({ question: value("question"), options: lines("options"), selectable: number("selectable") ?? "" }),
    reaction: () => ({ messageId: value("messageId"), emoji: value("emoji") }),
  };

  function medium(source) {
    const isDocument = kind() === "document";
    return {
      ...source,
      ...(CAPTIONED.includes(kind()) && { caption: value("caption") }),
      ...(isDocument && { fileName: value("fileName") }),
      ...(isDocument && !source.mediaId && { mimetype: value("mimetype") }),
    };
  }

  // What may go along with every message, or with every one of these.
  function besides() {
    const answers = { replyTo: value("replyTo"), mentions: ["text", ...CAPTIONED].includes(kind()) ? lines("mentions") : "" };
    const time = value("sendAt") && new Date(value("sendAt")).toISOString();
    return { ...(kind() !== "reaction" && answers), sendAt: time, ttl: number("ttl") ?? "" };
  }

  // `source` is where the medium comes from, for a message that has one.
  function body(source = {}) {
    const said = MEDIA.includes(kind()) ? medium(source) : own[kind()]();
    const whole = { type: kind(), ...(kind() !== "reaction" && { to: value("to") }), ...said, ...besides() };
    const isSaid = ([name, each]) => (Array.isArray(each) ? each.length : each !== "") || (name === "emoji" || name === "text");
    return Object.fromEntries(Object.entries(whole).filter(isSaid));
  }

  // What to mend before it is sent; the API says the rest.
  function fault(file) {
    if (MEDIA.includes(kind()) && !(value("source") === "file" ? file : value(value("source")))) return say("js.play.no_file");
    if (kind() === "poll" && lines("options").length < FEWEST_OPTIONS) return say("js.play.lines");
    if (kind() === "location" && (number("latitude") === null || number("longitude") === null)) return say("js.play.place");
    return "";
  }

  return { value, kind, body, fault };
}
